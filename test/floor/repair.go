package main

import (
	"context"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// repair watches one resource of a namespace and writes an object back as it was first seen as soon as it is seen to differ: the shortest
// way from a foreign edit to its repair. It has no end. Its arguments: a kubeconfig, the namespace, the resource (of the core group).
func repair(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a kubeconfig, a namespace and a resource")
	}
	client, err := cluster(args[0])
	if err != nil {
		return err
	}
	at := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: args[2]}).Namespace(args[1])
	list, err := at.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	want := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		want[list.Items[i].GetName()] = &list.Items[i]
	}
	events, err := at.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return err
	}
	defer events.Stop()
	begin(ctx)
	for e := range events.ResultChan() {
		if e.Type != watch.Modified {
			continue
		}
		have := e.Object.(*unstructured.Unstructured)
		back := want[have.GetName()]
		if back == nil || reflect.DeepEqual(said(back), said(have)) {
			continue
		}
		back = back.DeepCopy()
		back.SetResourceVersion(have.GetResourceVersion())
		back.SetManagedFields(nil)
		if _, err := at.Update(ctx, back, metav1.UpdateOptions{FieldManager: "floor"}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// said is what people say of an object, without what the server notes.
func said(u *unstructured.Unstructured) []any {
	return []any{u.GetLabels(), u.GetAnnotations(), u.Object["spec"], u.Object["data"]}
}
