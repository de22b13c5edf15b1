package main

import (
	"errors"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
)

func (p *program) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Run the daemon", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := config.Load(p.configFile)
			if err != nil {
				return err
			}
			lock, err := control.Hold(conf.ControlSocket)
			if err != nil {
				return err
			}
			frugal()
			log := newLogger(p.err, conf.Log)
			err = newDaemon(p.configFile, p.world, log).run(c.Context(), lock, conf, func() {})
			return errors.Join(err, lock.Release())
		},
	}
	p.configFlag(c)
	return c
}
