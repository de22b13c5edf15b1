package gitwrite_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/gitwrite"
)

func TestUpdateOfABranchOfItsOwn(t *testing.T) {
	everywhere(t, func(p *place) {
		p.cfg.Push = "image-updates"
		main := p.bare("rev-parse", "main")
		got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(got, err)
		if p.bare("rev-parse", "image-updates^") != main || p.bare("rev-parse", "main") != main {
			p.Error("the branch is not one commit on top of main")
		}
		if again, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml")); again != "" || err != nil {
			p.Errorf("proposed twice: %q, %v", again, err)
		}
		p.bare("update-ref", "-d", "refs/heads/image-updates")
		got, err = gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(got, err) // a branch that somebody deleted is made anew
		second, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml", "a/b/over.yaml"))
		p.must(second, err)
		if p.bare("rev-parse", "image-updates^") != got {
			p.Error("the second proposal is not on top of the first")
		}

		p.must(p.repo.Git("fetch", "-q", "origin"))
		p.must(p.repo.Git("merge", "-q", "--ff-only", "origin/image-updates"))
		merged := p.commit("taken over, and gone on from", map[string]string{"stack.yaml": "tag: 1\n"})
		third, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(third, err)
		if p.bare("rev-parse", "image-updates^") != merged {
			p.Error("the third proposal is not on top of main, which holds the others")
		}
	})
}

// Proposals that were squashed, or beside which something else was merged, are proposed anew with what the followed branch has since.
func TestUpdateOfABranchThatParted(t *testing.T) {
	everywhere(t, func(p *place) {
		p.cfg.Push = "image-updates"
		proposed, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(proposed, err)
		main := p.commit("main goes its own way", map[string]string{"a/other": "y\n"})
		if done, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml")); done != "" || err != nil {
			p.Errorf("what is proposed already, on a branch that parted: %q, %v", done, err)
		}
		both, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml", "a/b/over.yaml"))
		p.must(both, err)
		if parents := p.bare("log", "-1", "--format=%P", "image-updates"); parents != proposed+" "+main {
			p.Errorf("the parents are %s, want %s %s", parents, proposed, main)
		}
		if changed := p.bare("diff", "--name-only", "main", "image-updates"); changed != "a/b/over.yaml\nstack.yaml" {
			p.Errorf("to main, the branch changes\n%s", changed)
		}
		p.bare("fsck", "--strict")

		squashed := p.commit("squashed", map[string]string{"stack.yaml": "tag: 2\n", "a/b/over.yaml": "tag: 2\n"})
		third, err := gitwrite.Update(t.Context(), p.cfg, func(context.Context, fs.FS) (gitwrite.Change, error) {
			return gitwrite.Change{Files: map[string][]byte{"README": []byte("new\n")}, Message: "new"}, nil
		})
		p.must(third, err)
		if parents := p.bare("log", "-1", "--format=%P", "image-updates"); parents != both+" "+squashed {
			p.Errorf("after a squash the parents are %s, want %s %s", parents, both, squashed)
		}
		if changed := p.bare("diff", "--name-only", "main", "image-updates"); changed != "README" {
			p.Errorf("after a squash, to main, the branch changes\n%s", changed)
		}
	})
}

func TestUpdateLeavesWhatOthersHavePutOnABranchThatParted(t *testing.T) {
	everywhere(t, func(p *place) {
		p.cfg.Push = "image-updates"
		got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(got, err)
		p.must(p.repo.Git("fetch", "-q", "origin"))
		p.must(p.repo.Git("checkout", "-q", "-b", "image-updates", "origin/image-updates"))
		p.must(p.repo.Git("commit", "-q", "--allow-empty", "-m", "a note for whoever merges this"))
		p.must(p.repo.Git("push", "-q", "origin", "image-updates"))
		p.must(p.repo.Git("checkout", "-q", "main"))
		theirs := p.bare("rev-parse", "image-updates")
		p.commit("main goes its own way", map[string]string{"a/other": "y\n"})
		_, err = gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml", "a/b/over.yaml"))
		if err == nil || !strings.Contains(err.Error(), "branch image-updates is not on top of main, holds commits of others") || p.bare("rev-parse", "image-updates") != theirs {
			p.Errorf("%s is there now: %v", p.bare("rev-parse", "image-updates"), err)
		}
	})
}
