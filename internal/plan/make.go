package plan

import "recsysd.dev/recsysd/internal/resource"

// Make decides what to do about every wanted resource and every live one that is ours.
func Make(want []resource.Resource, v View, p Policy) (Plan, error) {
	panic("not built yet")
}
