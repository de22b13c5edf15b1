package gcp

import (
	"fmt"

	quantity "k8s.io/apimachinery/pkg/api/resource"

	"recsysd.dev/recsysd/internal/resource"
)

// SizeUnknown is why stored bytes have no price where nobody has measured them and the stack file expects none.
const SizeUnknown = "size unknown; estimate says what is expected"

// Estimated is storage of as many bytes as the stack file expects, such as 10Gi; of unknown size where it expects nothing.
func Estimated(price, region, estimate string) resource.Usage {
	u := resource.Usage{Component: resource.ComponentStorage, Price: price, Region: region}
	switch n, err := quantity.ParseQuantity(estimate); {
	case estimate == "":
		u.Unknown = SizeUnknown
	case err != nil || n.Sign() < 0: // the stack file has been judged; this is for the others
		u.Unknown = fmt.Sprintf("size unknown: estimate %q is no amount of bytes", estimate)
	default:
		u.Quantity, u.Estimated = resource.GiB(n.Value()), true
	}
	return u
}
