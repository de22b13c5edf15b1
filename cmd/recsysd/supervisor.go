package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// A supervisor is whoever started the daemon and watches it: systemd, or nobody, which is no difference here.
type supervisor struct{ log *zap.Logger }

// tell sends a state as sd_notify(3) has it. That nobody listens is well; that somebody cannot be reached is logged, since it will
// act on the silence by itself.
func (s supervisor) tell(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		s.log.Warn("systemd not reached", zap.Error(err))
	}
}

func (s supervisor) ready(headline string)  { s.tell(systemd.SdNotifyReady + "\nSTATUS=" + headline) }
func (s supervisor) status(headline string) { s.tell("STATUS=" + headline) }
func (s supervisor) stopping()              { s.tell(systemd.SdNotifyStopping) }

// watch feeds the watchdog, if there is one, for as long as healthy has nothing to say. It is not a sign of life but of progress.
func (s supervisor) watch(ctx context.Context, healthy func() error) error {
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	if limit == 0 {
		return nil
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	for {
		if err := healthy(); err != nil {
			s.log.Error("watchdog not fed", zap.Error(err))
		} else {
			s.tell(systemd.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// headline is the stacks in one line: what systemctl status shows.
func (d *daemon) headline() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var words []string
	for _, r := range d.runners {
		words = append(words, r.name+" "+r.word())
	}
	return strings.Join(words, ", ")
}
