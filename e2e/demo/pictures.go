package main

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// picture writes one of a comment of Mooring's. The sections of the first units are unfolded, as a reader would.
func (st *stage) picture(name, markdown string, unfold int) {
	st.draw(name, "<b>"+html.EscapeString(st.forge.bot.Login)+"</b> commented", markdown, unfold)
}

// draw writes a picture of Markdown below a line of HTML: what Gitea makes of it, on a plain page, since a Gitea that is
// built from its module has no style sheets.
func (st *stage) draw(name, above, markdown string, unfold int) {
	if st.settings.pictures == "" {
		return
	}
	rendered := st.forge.server.Render(st.forge.ada, markdown, st.forge.shop)
	const section = "<details><summary><code>" // of a unit
	rendered = strings.Replace(rendered, section, strings.Replace(section, "details", "details open", 1), unfold)
	page := filepath.Join(st.dir, name+".html")
	st.must(os.WriteFile(page, fmt.Appendf(nil, pageOf, above, rendered), 0o600), "write a page")
	shot := filepath.Join(st.dir, name+".png")
	cmd := exec.CommandContext(st.ctx, st.settings.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1.5",
		"--user-data-dir="+filepath.Join(st.dir, "browser"), "--window-size=860,2400", "--screenshot="+shot, "file://"+page)
	if out, err := cmd.CombinedOutput(); err != nil {
		st.fail("take a picture: %w\n%s", err, out)
	}
	raw, err := os.ReadFile(shot)
	st.must(err, "read the picture")
	small, err := shrink(raw)
	st.must(err, "make the picture smaller")
	to := filepath.Join(st.settings.pictures, name+".png")
	st.must(os.MkdirAll(st.settings.pictures, 0o755), "make a directory")
	st.must(os.WriteFile(to, small, 0o644), "write the picture")
	st.say("\nPicture: %s, %d KB.", to, len(small)/1000)
}

// pageOf is a page with one text on it: the line above, and the text.
const pageOf = `<!doctype html><meta charset="utf-8"><style>
body { margin: 20px; background: #fff; color: #1f2328; font: 14px/1.5 "DejaVu Sans", sans-serif }
.comment { border: 1px solid #d0d7de; border-radius: 6px }
.by { background: #f6f8fa; border-bottom: 1px solid #d0d7de; padding: 7px 14px; color: #59636e }
.by b { color: #1f2328 }
.text { padding: 4px 16px 10px }
h3 { font-size: 16px; margin: 12px 0 }
table { border-collapse: collapse; margin: 12px 0 } th, td { border: 1px solid #d0d7de; padding: 4px 10px } th { background: #f6f8fa }
code, pre { font: 12px/1.45 "DejaVu Sans Mono", monospace; background: #f0f2f4; border-radius: 4px } code { padding: 1px 4px }
pre { padding: 10px 12px; overflow: hidden } pre code { background: none; padding: 0 }
details { margin: 8px 0 } summary { cursor: default }
.gd { background: #ffebe9; color: #82071e } .gi { background: #dafbe1; color: #116329 } .gu { color: #6639ba } .gs { background: #fff8c5; color: #7d4e00 }
a { color: #0969da; text-decoration: none }
</style><div class="comment"><div class="by">%s</div><div class="text">%s</div></div>`

// shrink cuts off what is empty below, and keeps the 256 colours that matter.
func shrink(raw []byte) ([]byte, error) {
	whole, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	box := whole.Bounds()
	used := map[color.Color]int{}
	bottom := box.Min.Y
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := whole.At(x, y)
			used[c]++
			if r, g, b, _ := c.RGBA(); r&g&b != 0xffff {
				bottom = y
			}
		}
	}
	var colours color.Palette
	for c := range used {
		colours = append(colours, c)
	}
	key := func(c color.Color) uint32 { r, g, b, _ := c.RGBA(); return r>>8<<16 | g>>8<<8 | b>>8 }
	slices.SortFunc(colours, func(a, b color.Color) int {
		if n := used[b] - used[a]; n != 0 {
			return n
		}
		return int(key(a)) - int(key(b)) // the same picture each time
	})
	colours = colours[:min(len(colours), 256)]
	out := image.NewPaletted(image.Rect(0, 0, box.Dx(), min(bottom-box.Min.Y+30, box.Dy())), colours)
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, whole.At(box.Min.X+x, box.Min.Y+y))
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&b, out)
	return b.Bytes(), err
}
