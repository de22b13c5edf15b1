package view

import "recsysd.dev/recsysd/internal/reconcile"

// Failing reports whether the last pass could not do or see what was due, or was not for the newest commit.
func (v StackStatus) Failing() bool {
	return v.Error != "" || v.Outcome == string(reconcile.Failed) || v.Outcome == string(reconcile.Invalid)
}

// Word says in a word where the stack stands.
func (v StackStatus) Word() string {
	word, _ := v.word()
	return word
}

func (v StackStatus) word() (word, colour string) {
	switch {
	case v.LastPass == nil:
		return "no pass yet", faint
	case v.Suspended != "":
		return "suspended: " + plain(v.Suspended), change
	case v.Failing():
		return "failing", bad
	case v.Budget != nil && v.Budget.Held:
		return "held: over the budget", change
	case v.Converged:
		return "converged", good
	case v.Left:
		return "differs, and is left as it is", change
	default:
		return "converging", change
	}
}

func commit(hash string) string {
	if hash == "" {
		return "no revision"
	}
	return Short(hash)
}
