package gcptest

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Whoever calls the services is Caller in the audit logs; whoever edits their state behind them is Hand until SetHand says otherwise.
const (
	Caller = "caller@acme.iam.gserviceaccount.com"
	Hand   = "somebody@example.com"
)

// auditEntry is a line of the Admin Activity log, as a service writes it.
type auditEntry struct {
	service, method, resource, account string
	principal, agent                   string
	at                                 time.Time
	code                               int
	first, last                        bool
	visible                            time.Time
}

// agentKey is where the name of a caller's program stands in the context of a call over HTTP.
type agentKey struct{}

func agentOf(ctx context.Context) string {
	if a, ok := ctx.Value(agentKey{}).(string); ok {
		return a
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		return strings.Join(md.Get("user-agent"), " ")
	}
	return ""
}

// SetHand is who edits from now on, as the audit logs have it.
func (s *Server) SetHand(principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hand = principal
}

// SetLogDelay is how long it takes from now on until an entry can be read. The default is no time at all.
func (s *Server) SetLogDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logDelay = d
}

// edited writes what a hand has done. The lock is held.
func (s *Server) edited(service, method, resource, account string) {
	if s.hand == "" {
		s.hand = Hand
	}
	s.audit(auditEntry{service: service, method: method, resource: resource, account: account, principal: s.hand, agent: "google-cloud-sdk gcloud/563.0.0", first: true, last: true})
}

// wrote writes what a call has done, under the name that the service gives the resource. Of what takes long there are two entries, and
// the second does not name the program. The lock is held.
func (s *Server) wrote(ctx context.Context, c Call, err error) {
	names := map[string]string{
		gcp.Storage: "projects/_/buckets/" + c.Target, gcp.Container: c.full, gcp.ArtifactRegistry: c.full,
	}
	resource, kept := names[c.Service]
	if !kept || !c.Write {
		return
	}
	e := auditEntry{service: c.Service, method: c.Method, resource: resource, principal: Caller, agent: agentOf(ctx), code: int(status.Code(err)), first: true, last: true}
	if c.Service == gcp.Container && err == nil {
		e.last = false
		s.audit(e)
		e.first, e.last, e.agent = false, true, ""
	}
	s.audit(e)
}

func (s *Server) audit(e auditEntry) {
	e.at = time.Now()
	e.visible = e.at.Add(s.logDelay)
	s.trail = append(s.trail, e)
}

// shown is the entry as entries.list gives it.
func (e auditEntry) shown(project string) map[string]any {
	payload := map[string]any{
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": e.service + ".googleapis.com", "methodName": e.method,
		"resourceName": e.resource, "authenticationInfo": map[string]any{"principalEmail": e.principal},
		"requestMetadata": map[string]any{"callerSuppliedUserAgent": e.agent}, "status": map[string]any{},
	}
	if e.code != 0 {
		payload["status"] = map[string]any{"code": e.code}
	}
	out := map[string]any{
		"protoPayload": payload, "timestamp": e.at.UTC().Format(time.RFC3339Nano), "logName": activityLog(project),
		"resource": map[string]any{"labels": map[string]any{"email_id": e.account}},
	}
	if !e.first || !e.last {
		out["operation"] = map[string]any{"id": "operation-1", "first": e.first, "last": e.last}
	}
	return out
}

func activityLog(project string) string {
	return "projects/" + project + "/logs/cloudaudit.googleapis.com%2Factivity"
}

// serveLogging is entries.list, of the Admin Activity log alone, newest first.
func (s *Server) serveLogging(mux *http.ServeMux) {
	mux.HandleFunc("POST /logging/v2/entries:list", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ResourceNames   []string
			Filter, OrderBy string
			PageSize        int
		}
		bad := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
		out := map[string]any{}
		err := s.serve(r.Context(), Call{Service: gcp.Logging, Method: "logging.entries.list"}, func() error {
			if bad != nil || len(in.ResourceNames) != 1 || in.OrderBy != "timestamp desc" || in.PageSize < 1 {
				return status.Error(codes.InvalidArgument, "Request contains an invalid argument.")
			}
			if in.ResourceNames[0] != "projects/"+s.project || s.denied["logging.logEntries.list"] {
				return status.Error(codes.PermissionDenied, "Permission denied for all log views")
			}
			fits, err := s.logFilter(in.Filter)
			if err != nil {
				return err
			}
			var all []any
			for i := len(s.trail) - 1; i >= 0 && len(all) < in.PageSize; i-- {
				if e := s.trail[i]; !time.Now().Before(e.visible) && fits(e) {
					all = append(all, e.shown(s.project))
				}
			}
			if len(all) > 0 { // an empty page has no field for it
				out["entries"] = all
			}
			return nil
		})
		answer(w, out, err)
	})
}

var logClause = regexp.MustCompile(`^(NOT )?([A-Za-z._]+)(=~|>=|<=|=|:)(".*")$`)

// logFilter reads as much of the query language as clauses, one a line, that all have to hold. A clause that it does not know is
// refused, as is a query that is not bounded in time and to one log.
func (s *Server) logFilter(text string) (func(auditEntry) bool, error) {
	type check func(auditEntry) bool
	var all []check
	seen := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		m := logClause.FindStringSubmatch(line)
		if m == nil {
			return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %s", line)
		}
		value, err := strconv.Unquote(m[4])
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %s", line)
		}
		seen[m[2]] = true
		switch m[1] + m[2] + m[3] {
		case "logName=":
			all = append(all, func(auditEntry) bool { return value == activityLog(s.project) })
		case "timestamp>=", "timestamp<=":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return nil, status.Errorf(codes.InvalidArgument, "Invalid timestamp: %s", value)
			}
			after := m[3] == ">="
			all = append(all, func(e auditEntry) bool { return e.at.Equal(at) || e.at.After(at) == after })
		case "protoPayload.serviceName=":
			all = append(all, func(e auditEntry) bool { return e.service+".googleapis.com" == value })
		case "protoPayload.resourceName=~":
			re, err := regexp.Compile(value)
			if err != nil {
				return nil, status.Errorf(codes.InvalidArgument, "Invalid regular expression: %s", value)
			}
			all = append(all, func(e auditEntry) bool { return re.MatchString(e.resource) })
		case "resource.labels.email_id=":
			all = append(all, func(e auditEntry) bool { return e.account == value })
		case "NOT protoPayload.requestMetadata.callerSuppliedUserAgent:":
			all = append(all, func(e auditEntry) bool { return !strings.Contains(e.agent, value) })
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Unknown clause: %s", line)
		}
	}
	if !seen["timestamp"] || !seen["logName"] {
		return nil, status.Error(codes.InvalidArgument, "gcptest: a query without bounds reads everything there is")
	}
	return func(e auditEntry) bool {
		for _, holds := range all {
			if !holds(e) {
				return false
			}
		}
		return true
	}, nil
}
