package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/googleapi"

	"recsysd.dev/recsysd/internal/resource"
)

// ErrNoRecord: the audit logs may not be read. They are not asked again for a while.
var ErrNoRecord = errors.New("the audit logs may not be read: logging.logEntries.list is missing")

// recordAgain is how long after a refusal the audit logs are asked again: somebody may have given the right meanwhile.
const recordAgain = time.Hour

// Trail is under which names a resource stands in the Admin Activity logs, which Google always keeps and does not charge for.
type Trail struct {
	Service string   // the DNS name of the service
	Names   []string // resource names; * is any one part: projects/*/zones/us-central1-a/clusters/acme
	Account string   // e-mail of a service account: those stand under numbers
}

// An AuditLog tells from Cloud Audit Logs who changed a resource. It is one small request of the Logging API, written by hand: the
// generated client would add what all its other methods need. It is safe for concurrent use.
type AuditLog struct {
	client  *http.Client // nil: there is none to ask
	url     string
	project string
	agent   string // how recsysd itself begins its name; "": it has none
	self    string // whom it acts as, where that is known

	mu      sync.Mutex
	refused time.Time // when the right was last found missing
}

// NewAuditLog sends nothing yet. ctx is used for as long as the log is.
func NewAuditLog(ctx context.Context, c Config) (*AuditLog, error) {
	agent, _, named := strings.Cut(c.UserAgent, "/")
	l := &AuditLog{url: "https://logging.googleapis.com/v2/entries:list", project: c.Project, self: c.Impersonate}
	if named {
		l.agent = agent + "/"
	}
	switch e := c.base(Logging); {
	case e == "" && c.Insecure:
		return l, nil // the others are emulators: Google knows nothing of them
	case e != "":
		l.url = strings.TrimSuffix(e, "/") + "/v2/entries:list"
	}
	var err error
	l.client, err = c.client(ctx, Logging)
	return l, err
}

// Last is who was the last to change what t names within that time. Calls that failed, and recsysd's own, are passed over.
func (l *AuditLog) Last(ctx context.Context, t Trail, during resource.Span) (resource.Author, error) {
	if l.client == nil {
		return resource.Author{}, nil
	}
	l.mu.Lock()
	wait := !l.refused.IsZero() && time.Since(l.refused) < recordAgain
	l.mu.Unlock()
	if wait {
		return resource.Author{}, ErrNoRecord
	}
	entries, err := l.list(ctx, l.filter(t, during))
	var answer *googleapi.Error
	if errors.As(err, &answer) && answer.Code == http.StatusForbidden {
		l.mu.Lock()
		l.refused = time.Now()
		l.mu.Unlock()
		return resource.Author{}, fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	if err != nil {
		return resource.Author{}, Explain("logging.entries.list", err)
	}
	for _, e := range entries {
		if a := l.author(e); a.Name != "" {
			return a, nil
		}
	}
	return resource.Author{}, nil
}

// filter is a query that is narrow in time and in name, both of which are indexed. What recsysd has written itself would fill the page.
func (l *AuditLog) filter(t Trail, during resource.Span) string {
	lines := []string{
		fmt.Sprintf("logName=%q", "projects/"+l.project+"/logs/cloudaudit.googleapis.com%2Factivity"),
		fmt.Sprintf("timestamp>=%q", during.From.UTC().Format(time.RFC3339Nano)),
		fmt.Sprintf("timestamp<=%q", during.To.UTC().Format(time.RFC3339Nano)),
		fmt.Sprintf("protoPayload.serviceName=%q", t.Service),
	}
	if t.Account != "" {
		lines = append(lines, fmt.Sprintf("resource.labels.email_id=%q", t.Account))
	} else {
		names := make([]string, len(t.Names))
		for i, n := range t.Names {
			names[i] = strings.ReplaceAll(regexp.QuoteMeta(n), `\*`, "[^/]+")
		}
		lines = append(lines, fmt.Sprintf("protoPayload.resourceName=~%q", "^("+strings.Join(names, "|")+")$"))
	}
	if l.agent != "" {
		lines = append(lines, fmt.Sprintf("NOT protoPayload.requestMetadata.callerSuppliedUserAgent:%q", l.agent))
	}
	return strings.Join(lines, "\n")
}

// auditEntry is as much of a log entry as says who changed something.
type auditEntry struct {
	Timestamp    time.Time `json:"timestamp"`
	ProtoPayload struct {
		Status struct {
			Code int `json:"code"`
		} `json:"status"`
		AuthenticationInfo struct {
			PrincipalEmail   string `json:"principalEmail"`
			PrincipalSubject string `json:"principalSubject"`
		} `json:"authenticationInfo"`
		RequestMetadata struct {
			CallerSuppliedUserAgent string `json:"callerSuppliedUserAgent"`
		} `json:"requestMetadata"`
	} `json:"protoPayload"`
	Operation struct {
		First bool `json:"first"`
		Last  bool `json:"last"`
	} `json:"operation"`
}

// author is who made the entry; nobody of a call that failed or that was recsysd's own. Of what takes long there are two entries, of
// which the second does not tell by what program it was begun.
func (l *AuditLog) author(e auditEntry) resource.Author {
	p := e.ProtoPayload
	who := p.AuthenticationInfo.PrincipalEmail
	if who == "" { // of a federated identity
		who = p.AuthenticationInfo.PrincipalSubject
	}
	switch {
	case p.Status.Code != 0, e.Operation.Last && !e.Operation.First:
		return resource.Author{}
	case l.self != "" && who == l.self, l.agent != "" && strings.Contains(p.RequestMetadata.CallerSuppliedUserAgent, l.agent):
		return resource.Author{}
	}
	return resource.Author{Name: who, At: e.Timestamp}
}

// list is the newest entries of a filter: few, since one is enough.
func (l *AuditLog) list(ctx context.Context, filter string) ([]auditEntry, error) {
	const few, most = 10, 4 << 20 // entries repeat the whole request
	body, err := json.Marshal(map[string]any{
		"resourceNames": []string{"projects/" + l.project}, "filter": filter, "orderBy": "timestamp desc", "pageSize": few,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := googleapi.CheckResponse(resp); err != nil {
		return nil, err
	}
	var page struct {
		Entries []auditEntry `json:"entries"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&page); err != nil {
		return nil, fmt.Errorf("an answer that is no JSON: %w", err)
	}
	return page.Entries, nil
}

// Audited is a spec that stands in the audit logs.
type Audited interface{ Trail(project string) Trail }

// Recorded is d, able to tell from the audit logs who changed something.
func Recorded[S interface {
	resource.Spec[S]
	Audited
}](d resource.Driver[S], l *AuditLog) resource.Driver[S] {
	return recorded[S]{d, l}
}

type recorded[S interface {
	resource.Spec[S]
	Audited
}] struct {
	resource.Driver[S]
	log *AuditLog
}

// Who implements resource.Witness.
func (r recorded[S]) Who(ctx context.Context, s S, during resource.Span) (resource.Author, error) {
	return r.log.Last(ctx, s.Trail(r.log.project), during)
}
