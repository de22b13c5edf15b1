package bucket

import "time"

// EmptyFor shortens the time that one Delete spends on objects.
func (d *Driver) EmptyFor(t time.Duration) { d.emptyFor = t }
