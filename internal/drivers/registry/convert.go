package registry

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Ids of the cleanup policies that the stack file has words for.
const (
	policyKeepLast       = "keep-last"
	policyDeleteUntagged = "delete-untagged"
	policyDeleteOld      = "delete-old"
)

// spec is a live repository in the words of the stack file.
func spec(pb *artifactregistrypb.Repository) Spec {
	s := Spec{
		Name:          path.Base(pb.GetName()),
		Location:      locationOf(pb.GetName()),
		Format:        strings.ToLower(pb.GetFormat().String()),
		Description:   proto.String(pb.GetDescription()),
		Cleanup:       cleanupOf(pb),
		ImmutableTags: proto.Bool(pb.GetDockerConfig().GetImmutableTags()),
		Scanning:      proto.String(inherited),
		Labels:        pb.GetLabels(),
		Bytes:         pb.GetSizeBytes(),
		seen:          &seen{labels: pb.GetLabels(), created: pb.GetCreateTime().AsTime()},
	}
	if pb.GetVulnerabilityScanningConfig().GetEnablementConfig() == artifactregistrypb.Repository_VulnerabilityScanningConfig_DISABLED {
		s.Scanning = proto.String(disabled) // unspecified and inherited are one
	}
	switch m := pb.GetMode(); m {
	case artifactregistrypb.Repository_STANDARD_REPOSITORY, artifactregistrypb.Repository_MODE_UNSPECIFIED:
	default:
		s.Mode = strings.ToLower(strings.TrimSuffix(m.String(), "_REPOSITORY"))
	}
	return s
}

// locationOf is the L of projects/P/locations/L/repositories/R.
func locationOf(name string) string {
	_, rest, _ := strings.Cut(name, "/locations/")
	location, _, _ := strings.Cut(rest, "/")
	return location
}

// cleanupOf reads policies by what they mean and not by their ids: one that the console made under another id is the same.
func cleanupOf(pb *artifactregistrypb.Repository) *Cleanup {
	c := &Cleanup{DryRun: pb.GetCleanupPolicyDryRun()}
	for _, id := range sortedKeys(pb.GetCleanupPolicies()) {
		p := pb.GetCleanupPolicies()[id]
		keep, after := keepCount(p), olderThan(p)
		switch {
		case keep != nil && c.KeepLast == nil:
			c.KeepLast = keep
		case after != nil && tagState(p) == artifactregistrypb.CleanupPolicyCondition_UNTAGGED && c.DeleteUntaggedAfter == nil:
			c.DeleteUntaggedAfter = after
		case after != nil && tagState(p) == artifactregistrypb.CleanupPolicyCondition_ANY && c.DeleteAfter == nil:
			c.DeleteAfter = after
		default:
			if c.Other == nil {
				c.Other = map[string]string{}
			}
			c.Other[id] = policyText(p)
		}
	}
	return c
}

// keepCount is how many of the newest versions p keeps, if that is all it does.
func keepCount(p *artifactregistrypb.CleanupPolicy) *int {
	m := p.GetMostRecentVersions()
	if m == nil || m.KeepCount == nil || len(m.GetPackageNamePrefixes()) > 0 || p.GetAction() != artifactregistrypb.CleanupPolicy_KEEP {
		return nil
	}
	return new(int(m.GetKeepCount()))
}

// olderThan is the age at which p deletes, if age and tag state are all it goes by.
func olderThan(p *artifactregistrypb.CleanupPolicy) *gcp.Duration {
	c := p.GetCondition()
	if c == nil || c.OlderThan == nil || c.NewerThan != nil || p.GetAction() != artifactregistrypb.CleanupPolicy_DELETE ||
		len(c.GetTagPrefixes())+len(c.GetVersionNamePrefixes())+len(c.GetPackageNamePrefixes()) > 0 {
		return nil
	}
	return new(gcp.Duration(c.GetOlderThan().AsDuration()))
}

// tagState is ANY where nothing is said.
func tagState(p *artifactregistrypb.CleanupPolicy) artifactregistrypb.CleanupPolicyCondition_TagState {
	if s := p.GetCondition().GetTagState(); s != artifactregistrypb.CleanupPolicyCondition_TAG_STATE_UNSPECIFIED {
		return s
	}
	return artifactregistrypb.CleanupPolicyCondition_ANY
}

// policyText is any policy in words, the same for the same policy: "delete tagged, tag rc-, older than 30d".
func policyText(p *artifactregistrypb.CleanupPolicy) string {
	text := strings.ToLower(p.GetAction().String())
	if m := p.GetMostRecentVersions(); m != nil {
		return fmt.Sprintf("%s the newest %d%s", text, m.GetKeepCount(), prefixes("package", m.GetPackageNamePrefixes()))
	}
	c := p.GetCondition()
	if s := tagState(p); s != artifactregistrypb.CleanupPolicyCondition_ANY {
		text += " " + strings.ToLower(s.String())
	}
	text += prefixes("tag", c.GetTagPrefixes()) + prefixes("version", c.GetVersionNamePrefixes()) + prefixes("package", c.GetPackageNamePrefixes())
	if d := c.GetOlderThan(); d != nil {
		text += ", older than " + gcp.Duration(d.AsDuration()).String()
	}
	if d := c.GetNewerThan(); d != nil {
		text += ", newer than " + gcp.Duration(d.AsDuration()).String()
	}
	return text
}

func prefixes(of string, p []string) string {
	if len(p) == 0 {
		return ""
	}
	return ", " + of + " " + strings.Join(slices.Sorted(slices.Values(p)), " or ")
}

// policies is the whole map of what is wanted.
func (c Cleanup) policies() map[string]*artifactregistrypb.CleanupPolicy {
	all := map[string]*artifactregistrypb.CleanupPolicy{}
	if c.KeepLast != nil {
		all[policyKeepLast] = &artifactregistrypb.CleanupPolicy{
			Id: policyKeepLast, Action: artifactregistrypb.CleanupPolicy_KEEP,
			ConditionType: &artifactregistrypb.CleanupPolicy_MostRecentVersions{
				MostRecentVersions: &artifactregistrypb.CleanupPolicyMostRecentVersions{KeepCount: proto.Int32(int32(*c.KeepLast))},
			},
		}
	}
	remove := func(id string, state artifactregistrypb.CleanupPolicyCondition_TagState, after *gcp.Duration) {
		if after == nil {
			return
		}
		all[id] = &artifactregistrypb.CleanupPolicy{
			Id: id, Action: artifactregistrypb.CleanupPolicy_DELETE,
			ConditionType: &artifactregistrypb.CleanupPolicy_Condition{Condition: &artifactregistrypb.CleanupPolicyCondition{
				TagState: state.Enum(), OlderThan: durationpb.New(time.Duration(*after)),
			}},
		}
	}
	remove(policyDeleteUntagged, artifactregistrypb.CleanupPolicyCondition_UNTAGGED, c.DeleteUntaggedAfter)
	remove(policyDeleteOld, artifactregistrypb.CleanupPolicyCondition_ANY, c.DeleteAfter)
	return all
}

// request is a repository with what the stack says of it; Google fills in the rest.
func request(s Spec) *artifactregistrypb.Repository {
	pb := &artifactregistrypb.Repository{Format: toFormat(s.Format), Labels: s.Labels}
	if s.Description != nil {
		pb.Description = *s.Description
	}
	if s.Cleanup != nil {
		pb.CleanupPolicies, pb.CleanupPolicyDryRun = s.Cleanup.policies(), s.Cleanup.DryRun
	}
	if s.ImmutableTags != nil && pb.Format == artifactregistrypb.Repository_DOCKER {
		pb.FormatConfig = &artifactregistrypb.Repository_DockerConfig{
			DockerConfig: &artifactregistrypb.Repository_DockerRepositoryConfig{ImmutableTags: *s.ImmutableTags},
		}
	}
	if s.Scanning != nil {
		pb.VulnerabilityScanningConfig = toScanning(*s.Scanning)
	}
	return pb
}

func toFormat(name string) artifactregistrypb.Repository_Format {
	if name == "" {
		name = docker
	}
	return artifactregistrypb.Repository_Format(artifactregistrypb.Repository_Format_value[strings.ToUpper(name)])
}

func toScanning(name string) *artifactregistrypb.Repository_VulnerabilityScanningConfig {
	config := artifactregistrypb.Repository_VulnerabilityScanningConfig_INHERITED
	if name == disabled {
		config = artifactregistrypb.Repository_VulnerabilityScanningConfig_DISABLED
	}
	return &artifactregistrypb.Repository_VulnerabilityScanningConfig{EnablementConfig: config}
}
