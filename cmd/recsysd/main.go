// Command recsysd keeps the stacks that Git describes as they are described. This package is flags, wiring and exit codes; every
// decision is made in the rooms under internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // a bare machine knows the zones of schedules too

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/view"
)

func main() {
	// The first signal asks for an orderly stop; the second one, back in the system's hands, ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitWell    = 0
	exitDiffers = 1 // of plan: something is to be done; of prices refresh --check: a price differs
	exitError   = 2
)

// errDiffers ends a command with exitDiffers, without a word.
var errDiffers = errors.New("there are differences")

// run is the whole program. It returns the exit code; errors have been written to stderr, one line each.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{in: stdin, out: stdout, err: stderr, world: real()}
	return p.execute(ctx, args)
}

// execute runs one command line.
func (p *program) execute(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitWell
	case errors.Is(err, errDiffers):
		return exitDiffers
	}
	fmt.Fprintln(p.err, strings.TrimSpace(err.Error()))
	return exitError
}

// program is what the commands have in common: streams, the world that stacks are in, and flags.
type program struct {
	in       io.Reader
	out, err io.Writer
	world    world

	configFile string
	stack      string
	socket     string
	format     string
}

// root is the command tree. Flags may stand anywhere.
func (p *program) root() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:           "recsysd",
		Short:         "Keeps a Google Cloud stack as Git describes it",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          known,
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				return p.showVersion()
			}
			return c.Help()
		},
	}
	// Not cobra's own flag, whose template would keep every method of every type in the binary: see docs/dependencies.md.
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		p.runCommand(), p.demoCommand(), p.planCommand(), p.applyCommand(), p.destroyCommand(), p.checkCommand(), p.costCommand(), p.pricesCommand(),
		p.outputCommand(), p.statusCommand(), p.historyCommand(), p.driftCommand(), p.syncCommand(), p.wakeCommand(), p.sleepCommand(), p.suspendCommand(),
		p.resumeCommand(), p.importCommand(), p.doctorCommand(), p.bootstrapCommand(), p.schemaCommand(), p.versionCommand(),
	)
	return root
}

// known refuses a command that does not exist.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	hint := "see " + c.CommandPath() + " --help"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + near[0] + "?"
	}
	return fmt.Errorf("unknown command %q for %q; %s", args[0], c.CommandPath(), hint)
}

// arguments accepts so many, and says how the command is used otherwise.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing; usage: %s", strings.Fields(c.Use)[len(args)+1], c.UseLine())
		case len(args) > most:
			return fmt.Errorf("%q is one argument too many; usage: %s", args[most], c.UseLine())
		}
		return nil
	}
}

const defaultConfig = "/etc/recsysd/config.yaml"

func (p *program) configFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.configFile, "config", defaultConfig, "the daemon's configuration")
}

func (p *program) stackFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.stack, "stack", "", "which stack, where there are several")
}

func (p *program) formatFlag(c *cobra.Command) {
	c.Flags().StringVarP(&p.format, "output", "o", "text", "text or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if p.format != "text" && p.format != "json" {
			return fmt.Errorf("--output %s: text or json", p.format)
		}
		return nil
	}
}

// show writes v as JSON if that is asked for, else as text.
func (p *program) show(v any, text func(view.Paint) error) error {
	if p.format == "json" {
		return view.JSON(p.out, v)
	}
	return text(p.paint())
}

// paint is colour on a terminal, unless NO_COLOR is set to anything.
func (p *program) paint() view.Paint {
	return view.Paint{On: terminal(p.out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// selected loads the configuration and finds the stack that the flags mean.
func (p *program) selected() (*config.Config, config.Stack, error) {
	c, err := config.Load(p.configFile)
	if err != nil {
		return nil, config.Stack{}, err
	}
	s, err := c.Stack(p.stack)
	return c, s, err
}

// version and revision of the binary; version is set by the linker in a release.
var version = "dev"

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// versionLine is the version, the compiler's, and the commit if the build knows it.
func versionLine() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", version, runtime.Version(), revision()))
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return p.showVersion() },
	}
}

func (p *program) showVersion() error {
	_, err := fmt.Fprintln(p.out, "recsysd", versionLine())
	return err
}
