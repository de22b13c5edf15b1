package main

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// compare holds the ConfigMaps and Deployments of a namespace twice, as they are wanted and as they are, and compares all of them, round
// after round, with a tenth of a second between rounds: what to look at all of a stack costs when nothing is asked for and nothing decided.
// Its arguments are a kubeconfig, the namespace and the number of rounds.
func compare(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a kubeconfig, a namespace and a number of rounds")
	}
	client, err := cluster(args[0])
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var want, have []*unstructured.Unstructured
	for _, of := range []schema.GroupVersionResource{{Version: "v1", Resource: "configmaps"}, {Group: "apps", Version: "v1", Resource: "deployments"}} {
		list, err := client.Resource(of).Namespace(args[1]).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			o := &list.Items[i]
			o.SetManagedFields(nil)
			have, want = append(have, o), append(want, o.DeepCopy())
		}
	}
	begin(ctx)
	for range rounds {
		for i, w := range want {
			if !reflect.DeepEqual(w.Object, have[i].Object) {
				return fmt.Errorf("%s differs from its copy", w.GetName())
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	note(ctx, "objects", float64(len(have)))
	note(ctx, "rounds", float64(rounds))
	return nil
}
