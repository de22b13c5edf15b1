// Package grafana makes recsysd.json, a dashboard for Grafana, from the panels that panels.go lists. The file is what people import; the
// program has no part in it.
package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// uid lets a later version of the dashboard take the place of an earlier one.
const uid = "recsysd"

// schemaVersion is that of Grafana 10 and 11; later ones migrate it when they load it.
const schemaVersion = 39

// columns is how wide Grafana's grid is.
const columns = 24

// object is a piece of JSON whose form Grafana decides.
type object = map[string]any

// source is the data source that the person chooses.
var source = object{"type": "prometheus", "uid": "${datasource}"}

// JSON is the dashboard as it stands in recsysd.json.
func JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(object{
		"uid": uid, "title": "recsysd", "tags": []string{"recsysd"}, "schemaVersion": schemaVersion, "editable": true,
		"description":  "Stacks kept by recsysd: state, drift, cost, passes and API calls. docs/metrics.md says what each metric is.",
		"graphTooltip": 1, "refresh": "30s", "timezone": "browser", "time": object{"from": "now-6h", "to": "now"},
		"templating": object{"list": variables()}, "annotations": object{"list": annotations()}, "panels": layout(rows()),
	})
	return b.Bytes(), err
}

func variables() []object {
	const names = "label_values(recsysd_passes_total, stack)"
	return []object{
		{"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"},
		{
			"type": "query", "name": "stack", "label": "Stack", "datasource": source, "definition": names,
			"query":   object{"query": names, "refId": "stack"},
			"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "current": object{"text": "All", "value": "$__all"},
		},
	}
}

// annotations mark the moments in which another commit came into force.
func annotations() []object {
	return []object{{
		"name": "Commits", "datasource": source, "enable": true, "iconColor": "blue",
		"expr":        commits,
		"titleFormat": "{{stack}}", "textFormat": "{{attempted}}",
	}}
}

// layout places the panels of each row from left to right, and numbers them.
func layout(rows []row) []object {
	var all []object
	id, y := 0, 0
	place := func(o object, w, h, x int) {
		id++
		o["id"], o["gridPos"] = id, object{"x": x, "y": y, "w": w, "h": h}
		all = append(all, o)
	}
	for _, r := range rows {
		place(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, columns, 1, 0)
		y++
		x, tallest := 0, 0
		for _, p := range r.panels {
			if x+p.w > columns {
				x, y, tallest = 0, y+tallest, 0
			}
			place(p.render(), p.w, p.h, x)
			x, tallest = x+p.w, max(tallest, p.h)
		}
		y += tallest
	}
	return all
}

// render is the panel as Grafana has it, without its place.
func (p panel) render() object {
	o := object{
		"type": p.kind, "title": p.title, "description": p.about, "datasource": source,
		"fieldConfig": object{"defaults": p.defaults(), "overrides": []object{}}, "options": p.options(),
	}
	var targets []object
	for i, q := range p.queries {
		t := object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr}
		switch p.kind {
		case timeseries:
			t["range"], t["legendFormat"] = true, q.legend
		case table:
			t["instant"], t["format"] = true, "table"
		default:
			t["instant"], t["legendFormat"] = true, q.legend
		}
		targets = append(targets, t)
	}
	o["targets"] = targets
	if p.kind == table {
		o["transformations"] = p.columns()
	}
	return o
}

func (p panel) defaults() object {
	d := object{"unit": p.unit, "color": object{"mode": "palette-classic"}}
	if p.unit == dollars {
		d["decimals"] = 2
	}
	if len(p.limits) > 0 {
		steps := []object{{"value": nil, "color": p.limits[0].color}}
		for _, l := range p.limits[1:] {
			steps = append(steps, object{"value": l.from, "color": l.color})
		}
		d["thresholds"], d["color"] = object{"mode": "absolute", "steps": steps}, object{"mode": "thresholds"}
	}
	if p.kind == timeseries {
		custom := object{"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
		if p.stacked {
			custom["stacking"], custom["fillOpacity"] = object{"mode": "normal", "group": "A"}, 40
		}
		d["custom"] = custom
	}
	return d
}

func (p panel) options() object {
	last := object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.kind {
	case stat:
		return object{
			"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto", "orientation": "auto", "justifyMode": "auto",
			"wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard",
		}
	case table:
		return object{"showHeader": true, "frameIndex": 0}
	default:
		return object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	}
}

// columns joins the answers of a table's queries by their labels, and names each one's column as its query does.
func (p panel) columns() []object {
	hidden, names := object{"Time": true, "instance": true, "job": true, "__name__": true}, object{"Value": p.queries[0].legend}
	for i, q := range p.queries {
		names[fmt.Sprintf("Value #%c", 'A'+i)] = q.legend
	}
	return []object{
		{"id": "merge", "options": object{}},
		{"id": "organize", "options": object{"excludeByName": hidden, "renameByName": names, "indexByName": object{}}},
	}
}
