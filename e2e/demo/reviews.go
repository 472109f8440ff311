package main

import (
	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
)

// reviews is what the demo tells of pull requests. Each act checks that what it shows is what it says.
func reviews(st *stage) {
	st.configure(st.reviewConfig())
	st.sync()
	afterTheMerge(st)
	aDestroy(st)
	twoAtOnce(st)
	aReviewBranch(st)
	beforeTheMerge(st)
	st.command("runs")
}

func afterTheMerge(st *stage) {
	f := st.forge
	st.act("1. Reviewed, merged, applied", "The database gets another name, and the pool grows. The manifests use the host, which is known once the database is.")
	files := st.edited(f.shop, "infra/database/main.tf", `name        = "orders"`, `name        = "orders-2"`)
	head := f.shop.Push(f.ada, "orders-2", "Move orders to the second database", files)
	pull := f.shop.Open(f.ada, "orders-2", gitea.Branch, "Move orders to the second database")
	st.picture("plan", st.until(pull, "2 to change"), 1)
	st.statuses(f.shop, head)
	st.command("runs", "--review", "1")
	st.command("show", "#1")
	st.say("\nGrace reads it and approves; Ada merges.")
	pull.Approve(f.grace)
	st.sync()
	pull.Merge(f.ada, "merge")
	st.picture("applied", st.until(pull, "Applied"), 0)
	st.statuses(f.shop, head)
	st.command("show", "#1")
}

func aDestroy(st *stage) {
	f := st.forge
	st.act("2. A destroy, agreed to in review", "The replica goes, and the manifests log more. The approval is the yes that a destroy needs.")
	change := githttp.Change{Write: st.edited(f.shop, "k8s/config.yaml", "LOG_LEVEL: info", "LOG_LEVEL: debug"), Remove: []string{"infra/database/replica.tf"}}
	f.shop.PushChange(f.ada, "no-replica", "Drop the replica", change)
	pull := f.shop.Open(f.ada, "no-replica", gitea.Branch, "Drop the replica")
	st.picture("destroy", st.until(pull, "1 to destroy"), 2)
	pull.Approve(f.grace)
	st.sync()
	pull.Merge(f.ada, "squash")
	st.until(pull, "Applied")
}

func twoAtOnce(st *stage) {
	f := st.forge
	st.act("3. What was reviewed is not what would happen", "Two pull requests change the database, both are approved, and both are merged before Mooring looks again.")
	audit := map[string]string{"infra/database/audit.tf": "resource \"terraform_data\" \"audit\" {\n  input = local.connections\n}\n"}
	f.shop.Push(f.ada, "audit", "Audit connections", audit)
	first := f.shop.Open(f.ada, "audit", gitea.Branch, "Audit connections")
	f.shop.Push(f.ada, "pool", "A larger pool", st.edited(f.shop, "infra/database/main.tf", "connections = 2", "connections = 4"))
	second := f.shop.Open(f.ada, "pool", gitea.Branch, "A larger pool")
	st.until(second, "1 to change")
	for _, pull := range []*gitea.Pull{first, second} {
		pull.Approve(f.grace)
	}
	st.sync()
	for _, pull := range []*gitea.Pull{first, second} {
		pull.Merge(f.ada, "merge")
	}
	st.picture("held", st.until(second, "differs"), 0)
	st.command("runs", "--waiting")
	second.Comment(f.grace, "mooring approve")
	st.until(second, "Applied")
}

func aReviewBranch(st *stage) {
	f := st.forge
	st.act("4. A branch to look at, without a pull request", "What matches review_branches is planned. No forge is needed for it.")
	f.shop.Push(f.ada, "review/pool", "Try a pool of eight", st.edited(f.shop, "infra/database/main.tf", "connections = 4", "connections = 8"))
	st.sync()
	st.command("runs", "--review", "review/pool")
	st.command("show", "review/pool")
}

func beforeTheMerge(st *stage) {
	f := st.forge
	st.act("5. Applied before the merge", "The repository dns says apply = \"before_merge\". Nothing of it is applied yet. Two pull requests want its unit.")
	f.dns.Push(f.ada, "move", "Move www", map[string]string{"zones/main.tf": zones("10.20.0.5")})
	first := f.dns.Open(f.ada, "move", gitea.Branch, "Move www")
	st.until(first, "1 to add")
	f.dns.Push(f.grace, "mail", "Add mail", map[string]string{"zones/mail.tf": "resource \"terraform_data\" \"mail\" {\n  input = \"mail.example.com\"\n}\n"})
	second := f.dns.Open(f.grace, "mail", gitea.Branch, "Add mail")
	st.until(second, "zones is locked")
	st.command("locks")
	first.Comment(f.ada, "mooring apply")
	st.sync()
	st.answers(first)
	first.Approve(f.grace)
	st.sync()
	first.Comment(f.ada, "mooring apply")
	st.until(first, "Applied")
	if !first.State().Merged {
		st.sync()
	}
	if !first.State().Merged {
		st.fail("#1 is not merged")
	}
	st.say("\n#1 is merged, and #2 has its turn:")
	st.until(second, "1 to add")
	st.command("locks")
	st.command("unlock", "zones", "--repository", "dns", "--by", "operator")
	st.until(second, "unlocked by operator")
}

// answers shows what Mooring said besides its report.
func (st *stage) answers(p *gitea.Pull) {
	n := 0
	for _, c := range p.Comments() {
		if c.By.ID != st.forge.bot.ID {
			st.say("\n%s: %s", c.By.Login, c.Body)
		} else if n++; n > 1 {
			st.say("\n%s:", c.By.Login)
			st.post("", c.Body)
		}
	}
	if n < 2 {
		st.fail("Mooring did not answer in %s", p.Name())
	}
}
