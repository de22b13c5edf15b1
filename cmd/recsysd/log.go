package main

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"recsysd.dev/recsysd/internal/config"
)

// A logger can change its level while it is used. Messages are constant; what varies is in the fields. Info is for whoever runs
// the daemon, debug for whoever works on it.
type logger struct {
	*zap.Logger
	level zap.AtomicLevel
}

// newLogger writes text for people or JSON for collectors; auto is text on a terminal.
func newLogger(w io.Writer, c config.Log) logger {
	e := zap.NewProductionEncoderConfig()
	e.TimeKey, e.MessageKey, e.CallerKey, e.StacktraceKey = "time", "msg", "", ""
	e.EncodeTime = zapcore.RFC3339TimeEncoder
	e.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(e)
	if c.Format == "text" || c.Format == "auto" && terminal(w) {
		e.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
		e.EncodeLevel = zapcore.CapitalLevelEncoder
		e.ConsoleSeparator = "  "
		encoder = zapcore.NewConsoleEncoder(e)
	}
	at := zap.NewAtomicLevelAt(level(c.Level))
	return logger{zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), at)), at}
}

// level of a configuration that was validated.
func level(name string) zapcore.Level {
	l, err := zapcore.ParseLevel(name)
	if err != nil {
		return zapcore.InfoLevel
	}
	return l
}
