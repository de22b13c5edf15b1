package resource

// Budget is what a stack may come to in a full month. The engine only carries it: whoever knows prices compares.
type Budget struct {
	Monthly Amount // dollars; above zero
	WarnAt  []int  // percents of it, ascending, that are told of when a month's forecast passes them
	Hold    bool   // a commit that comes to more is held; else that is only told
	Pos     string // file:line:column of the monthly sum
}
