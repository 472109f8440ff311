package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/internal/web"
	"github.com/mooring-iac/mooring/runner"
)

// textPages are the runs as the command line shows them, for a browser.
type textPages struct{ r *runner.Runner }

const runsOfPage = 50

func (p textPages) Runs(w io.Writer) error {
	runs, err := p.r.Runs(runner.RunsQuery{Limit: runsOfPage})
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.RunTable(&page, runs, report.Style{}); err != nil {
		return err
	}
	_, err = page.WriteTo(w)
	return err
}

func (p textPages) Run(w io.Writer, id string) error {
	run, err := p.r.Show(id)
	if errors.Is(err, runner.ErrNoRun) {
		return web.ErrNoPage
	}
	if err != nil {
		return err
	}
	if err := report.Run(w, &run, report.Options{Full: true}); err != nil {
		return err
	}
	for _, u := range run.Units {
		if _, err := fmt.Fprintf(w, "\n%s: %s\n", report.CleanLine(u.ID), web.UnitPath(id, u.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (p textPages) Unit(w io.Writer, id, unit string) error {
	run, err := p.r.Show(id)
	if errors.Is(err, runner.ErrNoRun) || err == nil && run.Unit(unit) == nil {
		return web.ErrNoPage
	}
	if err != nil {
		return err
	}
	one := run
	one.Units = []runner.UnitResult{*run.Unit(unit)}
	if err := report.Run(w, &one, report.Options{Full: true}); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		open  func(run, unit string) (io.ReadCloser, error)
	}{{"What the plan says", p.r.Diff}, {"What Terraform said", p.r.Log}} {
		text, err := part.open(id, unit)
		if errors.Is(err, runner.ErrNoLog) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "\n%s\n\n", part.title)
		if err == nil {
			err = report.Copy(w, text)
		}
		if err := errors.Join(err, text.Close()); err != nil {
			return err
		}
	}
	return nil
}
