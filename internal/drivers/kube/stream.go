package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

const (
	pageSize = 500
	// The API server sends a bookmark every minute. After this long without a word a stream leads nowhere.
	longestSilence = 150 * time.Second
	// What has happened while a stream was away comes as soon as it is taken up again, if anything has.
	catchUp = 50 * time.Millisecond
)

var (
	errEnded  = errors.New("the server ended the stream")
	errSilent = errors.New("the server has nothing to say, not even that it is there")
	errNoFill = errors.New("the server does not send what there is over a watch")
)

// keep brings the store up to date and follows what happens, until that cannot go on; it returns why. The next keep goes on from the
// version that this one has come to, unless the server has forgotten that version or nothing comes of it: then it begins with everything
// that there is.
func (w *watch) keep(ctx context.Context) error {
	for again := false; ; {
		began, from := time.Now(), w.version
		err := w.once(ctx)
		status, said := answer(err)
		switch {
		case err == nil: // filled by a list
			continue
		case errors.Is(err, errEnded) && w.caught && time.Since(began) > time.Second:
			continue // it ends every few minutes as a matter of course
		case errors.Is(err, errNoFill):
			w.s.lists.Store(true)
			continue
		case ctx.Err() != nil || refused(err) || !said && !errors.Is(err, errEnded):
			// Of what has happened meanwhile the server has yet to tell.
		case from != "" && !again && (status.Code == http.StatusGone || !w.caught):
			w.version, again = "", true
			continue
		case w.barren > 1:
			w.version = ""
		}
		return fmt.Errorf("watching %s: %w", w.gvr.Resource, err)
	}
}

// once fills the store if that is to be done, and follows one stream to its end.
func (w *watch) once(ctx context.Context) error {
	if w.version != "" {
		return w.stream(ctx, nil)
	}
	if !w.s.lists.Load() {
		return w.stream(ctx, map[string]*item{})
	}
	if err := w.list(ctx); err != nil {
		return err
	}
	w.set(nil, nil)
	return nil
}

// list fills the store, page by page so that no answer is large.
func (w *watch) list(ctx context.Context) error {
	items := map[string]*item{}
	o := w.options()
	o.Limit = pageSize
	for {
		page, err := w.page(ctx, o)
		if err != nil {
			return fmt.Errorf("listing %s: %w", w.gvr.Resource, err)
		}
		for n := range page.Items {
			i := newItem(&page.Items[n])
			items[key(i.object)] = i
		}
		if o.Continue = page.GetContinue(); o.Continue == "" {
			w.fill(items, page.GetResourceVersion())
			return nil
		}
	}
}

func (w *watch) page(ctx context.Context, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return w.s.dynamic.Resource(w.gvr).List(ctx, o)
}

// fill takes in everything that there is at a version. One that is older than what the server has told of before is of another past, as after
// its database was restored from a copy: then nothing of what is known is kept.
func (w *watch) fill(items map[string]*item, version string) {
	at := number(version)
	w.notify(w.store.replace(items, at, at != 0 && at < w.newest)...)
	w.version, w.newest = version, at
}

// stream follows what happens after the store's version. With filling it begins with everything that there is, object by object, which
// takes one request and little memory; that goes into filling, and when the server says that it was all, into the store.
func (w *watch) stream(ctx context.Context, filling map[string]*item) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.caught = false
	w.barren++
	o, lasts := w.streamOptions(filling != nil)
	patience := time.AfterFunc(requestTimeout, func() { cancel(errSilent) })
	defer patience.Stop()
	events, err := w.s.dynamic.Resource(w.gvr).Watch(ctx, o)
	if status, ok := answer(err); ok && filling != nil && (status.Code == http.StatusUnprocessableEntity || status.Code == http.StatusBadRequest) {
		return errNoFill
	}
	if err != nil {
		return orCause(ctx, err)
	}
	defer events.Stop()
	var quiet <-chan time.Time
	if filling == nil {
		patience.Reset(w.silence(lasts))
		quiet = time.After(catchUp)
	}
	for {
		select {
		case <-quiet:
			quiet, w.caught = nil, true
			if !w.isUp() {
				w.set(nil, nil)
			}
		case e, more := <-events.ResultChan():
			if err = errEnded; more {
				filling, err = w.take(e, filling)
			}
			switch {
			case err != nil && filling != nil && context.Cause(ctx) != context.Canceled:
				return errNoFill // whatever is in the way: a list may get through
			case err != nil:
				return orCause(ctx, err)
			case filling != nil:
				patience.Reset(requestTimeout)
			default:
				patience.Reset(w.silence(lasts))
			}
		}
	}
}

// streamOptions ask for a stream that lasts for some minutes, each another time.
func (w *watch) streamOptions(fill bool) (o metav1.ListOptions, lasts time.Duration) {
	seconds := int64(300 + rand.IntN(300))
	o = w.options()
	o.ResourceVersion, o.AllowWatchBookmarks, o.TimeoutSeconds = w.version, true, &seconds
	if fill {
		o.SendInitialEvents, o.ResourceVersionMatch = &fill, metav1.ResourceVersionMatchNotOlderThan
	}
	return o, time.Duration(seconds) * time.Second
}

// silence is how long nothing may come over a stream that is to last for so long.
func (w *watch) silence(lasts time.Duration) time.Duration {
	if w.bookmark {
		return longestSilence
	}
	return lasts + requestTimeout
}

// take takes in an event, and returns what is left to fill.
func (w *watch) take(e apiwatch.Event, filling map[string]*item) (map[string]*item, error) {
	if e.Type == apiwatch.Error {
		return filling, apierrors.FromObject(e.Object)
	}
	u, ok := e.Object.(*unstructured.Unstructured)
	if !ok {
		return filling, fmt.Errorf("unexpected %T in the stream", e.Object)
	}
	w.barren = 0
	if e.Type == apiwatch.Bookmark {
		w.bookmark = true
		switch {
		case filling == nil:
			w.version = u.GetResourceVersion()
		case u.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true":
			w.fill(filling, u.GetResourceVersion())
			w.caught = true
			w.set(nil, nil)
			return nil, nil
		default:
			return filling, errNoFill // it has not understood what it was asked for
		}
		return filling, nil
	}
	if filling != nil {
		i := newItem(u)
		if k := key(u); e.Type == apiwatch.Deleted {
			delete(filling, k)
		} else {
			filling[k] = i
		}
		return filling, nil
	}
	w.version = u.GetResourceVersion()
	w.newest = max(w.newest, number(w.version))
	switch e.Type {
	case apiwatch.Added, apiwatch.Modified:
		if w.store.stale(u) {
			break // what it is made of need not be worked out
		}
		i := newItem(u)
		i.follow(w.store.at(key(u)), hands(w.s.o.UndoManagers))
		if w.store.put(i) {
			w.notify(i)
		}
	case apiwatch.Deleted:
		if w.store.drop(u) {
			w.notify(&item{ref: Object{Manifest: u.Object}.Ref()})
		}
	}
	return nil, nil
}

// orCause is why ctx was ended, if we ended it, or err.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, cause)
	}
	return err
}
