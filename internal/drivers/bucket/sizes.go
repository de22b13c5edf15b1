package bucket

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/monitoring/v3"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

const (
	// storedBytes is what a bucket is billed for, by class and by type: live-object, noncurrent-object, soft-deleted-object,
	// multipart-upload. It is measured once a day and told all day long; a bucket without anything in it is not told of. What
	// storage/v2/deleted_bytes has is what was deleted since the point before: added to this, it would be counted twice.
	storedBytes = "storage.googleapis.com/storage/v2/total_bytes"
	// lookBack is a day and what the next measurement may be late by.
	lookBack = 26 * time.Hour
	// sizesEvery is how long an answer is good for, and how long after a refusal nobody asks again.
	sizesEvery = time.Hour
	// longestFilter is a little below what Cloud Monitoring accepts. Beyond it the whole project is asked about.
	longestFilter = 2000
)

// stored is what a live bucket is billed for. nil: a wanted one.
type stored struct {
	bytes    map[string]int64 // by class; nil: not known
	estimate string           // that the stack file makes, for when it is not
}

// sizes are the stored bytes of the buckets of a stack, as Cloud Monitoring has them. It is asked beside the passes, at most once in
// sizesEvery and for all of them at once; a pass takes what is known by then.
type sizes struct {
	ctx     context.Context // of the questions; they end with cancel
	cancel  context.CancelFunc
	project string
	service *monitoring.Service
	answer  func(buckets []string, now time.Time) (map[string]map[string]int64, error) // ask
	asking  sync.WaitGroup

	mu    sync.Mutex
	names map[string]bool             // of the buckets to ask about
	known map[string]map[string]int64 // bytes by bucket and class
	fault string                      // why the last question had no answer

	answered time.Time // when known was answered
	next     time.Time // when it is worth asking
}

func newSizes(ctx context.Context, c gcp.Config) (*sizes, error) {
	s := &sizes{project: c.Project}
	s.answer = s.ask
	s.ctx, s.cancel = context.WithCancel(ctx)
	opts, err := c.HTTP(s.ctx, gcp.Monitoring)
	if err == nil {
		s.service, err = monitoring.NewService(s.ctx, opts...)
	}
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("monitoring client: %w", err)
	}
	return s, nil
}

func (s *sizes) close() {
	s.cancel()
	s.asking.Wait()
}

// look asks for the sizes of the stack's buckets if it is time to, and does not wait for the answer. A look at some of them, as after a
// step, asks about all that are known of: the answer is all that there is for an hour. The notice says what stood in the way of the last one.
func (s *sizes) look(buckets []string, whole bool) (notice string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if whole || s.names == nil {
		s.names = map[string]bool{}
	}
	for _, b := range buckets {
		s.names[b] = true
	}
	if now := time.Now(); len(s.names) > 0 && !now.Before(s.next) && s.ctx.Err() == nil {
		s.next = now.Add(sizesEvery)
		all := slices.Sorted(maps.Keys(s.names))
		s.asking.Go(func() { s.take(s.answer(all, now)) })
	}
	return s.fault
}

// of is what is known of a bucket by class; nil: nothing.
func (s *sizes) of(bucket string) map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[bucket]
}

func (s *sizes) take(known map[string]map[string]int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	now := time.Now()
	if err == nil {
		s.known, s.fault, s.answered = known, "", now
		return
	}
	// What is stored is measured once a day, so an answer is worth as much as a day.
	until := "prices take those that are known"
	if now.Sub(s.answered) >= lookBack {
		s.known, until = nil, "prices take what estimate says"
	}
	missing := ""
	if gcp.Code(err) == codes.PermissionDenied {
		missing = "missing monitoring.timeSeries.list, which roles/monitoring.viewer has: "
	}
	s.fault = "the sizes of buckets cannot be asked for, and " + until + ": " + missing + err.Error()
}

// ask is the one question.
func (s *sizes) ask(buckets []string, now time.Time) (map[string]map[string]int64, error) {
	got, err := s.service.Projects.TimeSeries.List("projects/"+s.project).Filter(sizesFilter(buckets)).
		IntervalStartTime(now.Add(-lookBack).UTC().Format(time.RFC3339)).IntervalEndTime(now.UTC().Format(time.RFC3339)).
		// Of each series the newest value in the time, then the sum of a class over all types.
		AggregationAlignmentPeriod(fmt.Sprintf("%ds", lookBack/time.Second)).AggregationPerSeriesAligner("ALIGN_NEXT_OLDER").
		AggregationCrossSeriesReducer("REDUCE_SUM").AggregationGroupByFields("resource.label.bucket_name", "metric.label.storage_class").
		Context(s.ctx).Do()
	if err != nil {
		return nil, gcp.Explain("monitoring.timeSeries.list", err)
	}
	if len(got.ExecutionErrors) > 0 {
		return nil, fmt.Errorf("monitoring.timeSeries.list: %s", got.ExecutionErrors[0].Message)
	}
	known := map[string]map[string]int64{}
	for _, series := range got.TimeSeries {
		if series.Resource == nil || series.Metric == nil || len(series.Points) == 0 {
			continue
		}
		n, ok := bytesOf(series.Points[0].Value) // the newest comes first
		name := series.Resource.Labels["bucket_name"]
		if !ok || name == "" {
			continue
		}
		if known[name] == nil {
			known[name] = map[string]int64{}
		}
		known[name][classOf(series.Metric.Labels["storage_class"])] += n
	}
	return known, nil
}

// sizesFilter names the buckets, as long as that is not too long.
func sizesFilter(buckets []string) string {
	all := fmt.Sprintf(`metric.type="%s" AND resource.type="gcs_bucket"`, storedBytes)
	some := all + fmt.Sprintf(` AND resource.label.bucket_name=one_of("%s")`, strings.Join(buckets, `","`))
	if len(some) > longestFilter {
		return all
	}
	return some
}

func bytesOf(v *monitoring.TypedValue) (int64, bool) {
	switch {
	case v == nil:
	case v.Int64Value != nil:
		return *v.Int64Value, *v.Int64Value >= 0
	case v.DoubleValue != nil && *v.DoubleValue >= 0 && *v.DoubleValue < math.MaxInt64:
		return int64(math.Round(*v.DoubleValue)), true
	}
	return 0, false
}

// classOf is a storage class as the price book spells it. The first two are Standard's older names.
func classOf(label string) string {
	switch label {
	case "REGIONAL", "MULTI_REGIONAL":
		return "standard"
	}
	return cmp.Or(strings.ToLower(label), "standard")
}
