package desired

import "slices"

// principal is who a workload's pods are for Google's services.
func (b *builder) principal(workload string) principal {
	return principal{Namespace: b.namespace(), Account: workload}
}

// allow gives a principal a role on a bucket, or on what is under a prefix of it. It answers whether that is new.
func (b *builder) allow(e *bucketEntry, who principal, role, prefix string) bool {
	g := grant{Principal: who, Role: role, Prefix: prefix}
	if slices.Contains(e.Spec.Grants, g) {
		return false
	}
	e.Spec.Grants = append(e.Spec.Grants, g)
	return true
}

// namespaceText is the namespace as it stands in the file, before that is decoded.
func (b *builder) namespaceText() string {
	if ns := b.top.get("namespace"); ns != nil && ns.kind == scalar && ns.text != "" {
		return ns.text
	}
	return b.top.get("name").text
}
