package terraform

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// What the stack file calls what Terraform has, and what it says at its top where nobody has said it.

// keyFor is a key of the stack file like the name that Terraform has.
func (c *conversion) keyFor(section string, r Resource) string {
	key := keyOf(strings.ReplaceAll(r.Module+".", "module.", "") + r.Name + "." + r.Key)
	for n, base := 2, key; c.used[section+"/"+key]; n++ {
		key = fmt.Sprintf("%.44s-%d", base, n)
	}
	c.used[section+"/"+key] = true
	return key
}

var notKey = regexp.MustCompile(`[^a-z0-9]+`)

func keyOf(name string) string {
	key := strings.Trim(notKey.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if key == "" || key[0] >= '0' && key[0] <= '9' {
		key = "x-" + key
	}
	return strings.Trim(key[:min(len(key), 50)], "-")
}

// projectOfAll is the project that the resources name, if it is one.
func (c *conversion) projectOfAll() string {
	found := map[string]int{}
	for _, r := range c.model.Resources {
		if p, ok := r.Attributes["project"].(string); ok && p != "" && known(r.Type) {
			found[p]++
		}
	}
	return most(found)
}

// commonRegion is where most of the resources are.
func (c *conversion) commonRegion() string {
	found := map[string]int{}
	for _, r := range c.model.Resources {
		for _, key := range []string{"location", "region"} {
			if l, ok := r.Attributes[key].(string); ok && known(r.Type) && regionOK.MatchString(strings.ToLower(path.Base(l))) {
				found[strings.ToLower(path.Base(l))]++
			}
		}
	}
	return most(found)
}

// most is the key that was counted most often; the first in order of several.
func most(counts map[string]int) string {
	best := ""
	for k, n := range counts {
		if n > counts[best] || n == counts[best] && (best == "" || k < best) {
			best = k
		}
	}
	return best
}

// guessName is what follows the project in the name of the only registry: a stack's images go by its name.
func (c *conversion) guessName() string {
	if len(c.entries["registries"]) != 1 {
		return ""
	}
	name, _ := c.entries["registries"][0].fields.get("name")
	rest, ok := strings.CutPrefix(name, c.identity.Project+"-")
	if !ok || !keyOK.MatchString(rest) {
		return ""
	}
	return rest
}
