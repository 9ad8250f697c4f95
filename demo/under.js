// The panel "Underneath" of the demo's pages: the pieces of nginx.conf that
// make the page work, cut out of the file that this nginx runs with, and the
// button that shows the panel on a phone.
//
// The attribute `data-page` of #conf is the name behind `#>` in that file.

const conf = document.getElementById("conf");
const under = document.getElementById("under");
const toggle = document.getElementById("toggle");

/** The pieces of a configuration that belong to a page, without indents. */
export function pieces(text, page) {
  const marked = /^[ \t]*#> (\S+)[ \t]*\n([^]*?)^[ \t]*#<[ \t]*$/gm;

  return [...text.matchAll(marked)].filter(([, name]) => name === page)
    .map(([, , piece]) => {
      const lines = piece.trimEnd().split("\n");
      const indent = Math.min(...lines.filter(line => line.trim())
                                      .map(line => line.search(/\S/)));
      return lines.map(line => line.slice(indent)).join("\n");
    });
}

// Wraps comments, directives and variables in elements, for colours.
function coloured(text) {
  const parts = text.split(
    /(^[ \t]*#.*$|(?<=^[ \t]*)[a-z][a-z_0-9]*(?=[ ;{])|\$[a-z_0-9]+)/m);

  return parts.map((part, i) => {
    if (i % 2 === 0) return part;

    const tag = part.trimStart()[0] === "#" ? "i" : part[0] === "$" ? "var"
              : "b";
    const e = document.createElement(tag);
    e.textContent = part;
    return e;
  });
}

async function show() {
  try {
    const answer = await fetch("nginx.conf", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);

    const found = pieces(await answer.text(), conf.dataset.page);
    if (!found.length) throw new Error("it has no piece for this page");
    conf.replaceChildren(...coloured(found.join("\n\n")));
  } catch ({ message }) {
    conf.textContent = "nginx.conf cannot be shown: " + message;
  }
}

toggle.addEventListener("click", () => {
  const open = under.classList.toggle("open");

  toggle.setAttribute("aria-expanded", open);
  toggle.textContent = open ? "Back" : "Underneath";
  if (open) under.focus();
});

// commands to copy
for (const e of document.querySelectorAll(".origin")) {
  e.textContent = location.origin;
}

show();
