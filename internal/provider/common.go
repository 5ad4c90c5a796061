// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"maps"
	"time"

	datasourcetimeouts "github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	ephemeraltimeouts "github.com/hashicorp/terraform-plugin-framework-timeouts/ephemeral/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	ephemeral "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// How long a read or an open lasts at most, unless timeouts says another.
const defaultTimeout = 5 * time.Minute

const (
	descriptionRepositoryName = "Name of the repository, without the registry's host."
	descriptionRegistryID     = "AWS account id of the registry. Default: the account of the credentials."
	descriptionRegion         = "AWS region of the registry. Default: the provider's."
	descriptionTimeout        = "How long to wait for ECR at most, retries included, such as `30s` or `10m`. Default `5m`."
)

var (
	readTimeout = path.Root("timeouts").AtName("read")
	openTimeout = path.Root("timeouts").AtName("open")
)

// dataSourceSchema returns the schema of a data source: the arguments that all
// objects have in common, and its own attributes.
func dataSourceSchema(ctx context.Context, description string, own map[string]datasource.Attribute) datasource.Schema {
	attributes := map[string]datasource.Attribute{
		"repository_name": datasource.StringAttribute{
			Required:            true,
			MarkdownDescription: descriptionRepositoryName,
			Validators:          []validator.String{repositoryNameCheck},
		},
		"registry_id": datasource.StringAttribute{
			Optional:            true,
			MarkdownDescription: descriptionRegistryID,
			Validators:          []validator.String{registryIDCheck},
		},
		"region": datasource.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: descriptionRegion,
			Validators:          []validator.String{regionCheck},
		},
	}
	maps.Copy(attributes, own)
	return datasource.Schema{
		MarkdownDescription: description,
		Attributes:          attributes,
		Blocks: map[string]datasource.Block{
			"timeouts": dataSourceTimeouts(ctx),
		},
	}
}

// ephemeralSchema is dataSourceSchema for an ephemeral resource.
func ephemeralSchema(ctx context.Context, description string, own map[string]ephemeral.Attribute) ephemeral.Schema {
	attributes := map[string]ephemeral.Attribute{
		"repository_name": ephemeral.StringAttribute{
			Required:            true,
			MarkdownDescription: descriptionRepositoryName,
			Validators:          []validator.String{repositoryNameCheck},
		},
		"registry_id": ephemeral.StringAttribute{
			Optional:            true,
			MarkdownDescription: descriptionRegistryID,
			Validators:          []validator.String{registryIDCheck},
		},
		"region": ephemeral.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: descriptionRegion,
			Validators:          []validator.String{regionCheck},
		},
	}
	maps.Copy(attributes, own)
	return ephemeral.Schema{
		MarkdownDescription: description,
		Attributes:          attributes,
		Blocks: map[string]ephemeral.Block{
			"timeouts": ephemeralTimeouts(ctx),
		},
	}
}

// dataSourceTimeouts returns the block timeouts. The library takes any duration,
// with which nothing could ever be read.
func dataSourceTimeouts(ctx context.Context) datasource.Block {
	block := datasourcetimeouts.BlockWithOpts(ctx, datasourcetimeouts.Opts{ReadDescription: descriptionTimeout})
	if nested, ok := block.(datasource.SingleNestedBlock); ok {
		for name, attribute := range nested.Attributes {
			if timeout, ok := attribute.(datasource.StringAttribute); ok {
				timeout.Validators = append(timeout.Validators, timeoutCheck)
				nested.Attributes[name] = timeout
			}
		}
	}
	return block
}

// ephemeralTimeouts is dataSourceTimeouts for an ephemeral resource.
func ephemeralTimeouts(ctx context.Context) ephemeral.Block {
	block := ephemeraltimeouts.BlockWithOpts(ctx, ephemeraltimeouts.Opts{OpenDescription: descriptionTimeout})
	if nested, ok := block.(ephemeral.SingleNestedBlock); ok {
		for name, attribute := range nested.Attributes {
			if timeout, ok := attribute.(ephemeral.StringAttribute); ok {
				timeout.Validators = append(timeout.Validators, timeoutCheck)
				nested.Attributes[name] = timeout
			}
		}
	}
	return block
}

// timeoutCheck leaves it to the library to say what is no duration.
var timeoutCheck = stringCheck{"Invalid timeout", func(s string) error {
	if d, err := time.ParseDuration(s); err == nil && d <= 0 {
		return fmt.Errorf("a timeout is longer than zero; leave it out for the default, %s", defaultTimeout)
	}
	return nil
}}

// expiresAt returns a time as the attribute expires_at, null if it is not known.
func expiresAt(t time.Time) timetypes.RFC3339 {
	if t.IsZero() {
		return timetypes.NewRFC3339Null()
	}
	return timetypes.NewRFC3339TimeValue(t)
}
