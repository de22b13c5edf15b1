package gcptest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/monitoring/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// storedBytes is the one metric that this Cloud Monitoring has.
const storedBytes = "storage.googleapis.com/storage/v2/total_bytes"

// maxFilter is how long a filter may be.
const maxFilter = 2048

// sample is a point of it.
type sample struct {
	bucket, class, kind string
	at                  time.Time
	bytes               float64
}

// Measure adds a measurement of what a bucket has stored, so long ago: of a class (STANDARD) and a type (live-object,
// noncurrent-object, soft-deleted-object, multipart-upload). What nobody has measured, as an empty bucket, has no series.
func (s *Server) Measure(bucket, class, kind string, ago time.Duration, bytes float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, sample{bucket, class, kind, time.Now().Add(-ago), bytes})
}

// Filters of Cloud Monitoring, as far as they are understood here.
var (
	filterMetric = regexp.MustCompile(`^metric\.type="([^"]+)" AND resource\.type="gcs_bucket"`)
	filterNames  = regexp.MustCompile(`^ AND resource\.label\.bucket_name=one_of\(("[^"]+"(?:,"[^"]+")*)\)$`)
)

// serveMonitoring is the listing of time series, for the one question that is asked: the newest value of every series, summed up by
// bucket and class.
func (s *Server) serveMonitoring(mux *http.ServeMux) {
	mux.HandleFunc("GET /monitoring/v3/projects/{p}/timeSeries", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		out := &monitoring.ListTimeSeriesResponse{}
		err := s.serve(r.Context(), Call{Service: gcp.Monitoring, Method: "monitoring.timeSeries.list"}, func() error {
			from, err := time.Parse(time.RFC3339, q.Get("interval.startTime"))
			to, err2 := time.Parse(time.RFC3339, q.Get("interval.endTime"))
			period, err3 := time.ParseDuration(q.Get("aggregation.alignmentPeriod"))
			names, understood := filtered(q.Get("filter"))
			switch {
			case r.PathValue("p") != s.project:
				return status.Error(codes.PermissionDenied, "Permission monitoring.timeSeries.list denied (or the resource may not exist).")
			case err != nil || err2 != nil || err3 != nil || !from.Before(to) || period < time.Minute:
				return status.Error(codes.InvalidArgument, "Field interval or aggregation had an invalid value.")
			case !understood:
				return status.Errorf(codes.InvalidArgument, "Field filter had an invalid value of %q", q.Get("filter"))
			case q.Get("aggregation.perSeriesAligner") != "ALIGN_NEXT_OLDER" || q.Get("aggregation.crossSeriesReducer") != "REDUCE_SUM" ||
				!slices.Equal(q["aggregation.groupByFields"], []string{"resource.label.bucket_name", "metric.label.storage_class"}):
				return status.Error(codes.Unimplemented, "gcptest knows one aggregation")
			}
			out.TimeSeries = s.summed(names, from, to)
			return nil
		})
		answer(w, out, err)
	})
}

// filtered is the buckets that a filter names; nil: all.
func filtered(filter string) (names []string, ok bool) {
	m := filterMetric.FindStringSubmatch(filter)
	if m == nil || m[1] != storedBytes || len(filter) > maxFilter {
		return nil, false
	}
	rest := filter[len(m[0]):]
	if rest == "" {
		return nil, true
	}
	m = filterNames.FindStringSubmatch(rest)
	if m == nil {
		return nil, false
	}
	return strings.Split(strings.ReplaceAll(m[1], `"`, ""), ","), true
}

// summed is one series for each bucket and class.
func (s *Server) summed(names []string, from, to time.Time) []*monitoring.TimeSeries {
	newest := map[[3]string]sample{}
	for _, m := range s.samples {
		series := [3]string{m.bucket, m.class, m.kind}
		if names != nil && !slices.Contains(names, m.bucket) || m.at.Before(from) || m.at.After(to.Add(time.Second)) || m.at.Before(newest[series].at) {
			continue
		}
		newest[series] = m
	}
	sums := map[[2]string]float64{}
	for series, m := range newest {
		sums[[2]string{series[0], series[1]}] += m.bytes
	}
	var all []*monitoring.TimeSeries
	for of, sum := range sums {
		all = append(all, &monitoring.TimeSeries{
			Metric:     &monitoring.Metric{Type: storedBytes, Labels: map[string]string{"storage_class": of[1]}},
			Resource:   &monitoring.MonitoredResource{Type: "gcs_bucket", Labels: map[string]string{"project_id": s.project, "bucket_name": of[0]}},
			MetricKind: "GAUGE", ValueType: "DOUBLE",
			Points: []*monitoring.Point{{
				Interval: &monitoring.TimeInterval{StartTime: to.Format(time.RFC3339), EndTime: to.Format(time.RFC3339)},
				Value:    &monitoring.TypedValue{DoubleValue: &sum},
			}},
		})
	}
	return all
}
