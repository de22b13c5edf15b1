package desired

// rawTags are the tags of workloads as they were written.
func rawTags(top *value) map[string]*value {
	raw := map[string]*value{}
	workloads := top.get("workloads")
	if workloads == nil {
		return raw
	}
	for _, f := range workloads.fields {
		if tag := f.value.get("image").get("tag"); tag != nil {
			written := *tag
			raw[f.key] = &written
		}
	}
	return raw
}
