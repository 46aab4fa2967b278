"use strict";
// Frames are as high as what they hold; a saved file changes them in place, without a jump.
const stage = document.getElementById("stage");
let turn = 0;

function fit(frame) {
  const page = frame.contentDocument;
  if (page && page.documentElement) {
    frame.height = "40";
    frame.height = String(Math.max(page.documentElement.scrollHeight, 40));
  }
}

function swap(old, src, mine) {
  return new Promise((arrived) => {
    const next = old.cloneNode(false);
    next.classList.add("coming");
    next.addEventListener("load", () => {
      if (mine === turn) {
        fit(next);
        old.remove();
        next.classList.remove("coming");
        next.addEventListener("load", () => fit(next));
      } else next.remove();
      arrived();
    }, { once: true });
    next.src = src;
    old.after(next);
  });
}

function point() {
  const line = stage.dataset.line;
  const frame = stage.querySelector("iframe");
  if (!line || !frame) return;
  const there = () => {
    const row = frame.contentDocument && frame.contentDocument.getElementById("L" + line);
    if (row) window.scrollTo({ top: frame.getBoundingClientRect().top + window.scrollY + row.offsetTop - 160 });
  };
  frame.addEventListener("load", () => { fit(frame); there(); });
  there();
}

async function words(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function put(page, ...ids) {
  for (const id of ids) {
    const now = document.getElementById(id), then = page.getElementById(id);
    if (!now || !then) continue;
    for (const box of now.querySelectorAll("details[id]")) {
      const same = then.querySelector("#" + box.id);
      if (same && box.dataset.touched) { same.open = box.open; same.dataset.touched = "1"; }
    }
    now.innerHTML = then.innerHTML;
  }
  document.title = page.title;
}

async function reload() {
  const mine = ++turn;
  const coming = [];
  for (const frame of stage.querySelectorAll("iframe:not(.coming)")) {
    const url = new URL(frame.src);
    url.searchParams.set("turn", mine);
    coming.push(swap(frame, url.href, mine));
  }
  await Promise.race(coming.concat(new Promise((late) => setTimeout(late, 500)))); // the letter first, then the checks
  const page = await words(location.href);
  if (mine === turn) put(page, "list", "top");
}

async function go(url) {
  const mine = ++turn;
  const page = await words(url);
  if (mine !== turn) return;
  history.replaceState(null, "", url);
  put(page, "list", "top", "switches");
  const then = page.getElementById("stage");
  stage.dataset.line = then.dataset.line;
  stage.innerHTML = then.innerHTML;
  watchFrames();
  point();
}

function watchFrames() {
  for (const frame of document.querySelectorAll("iframe")) {
    frame.addEventListener("load", () => fit(frame));
    if (frame.contentDocument && frame.contentDocument.readyState === "complete") fit(frame);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (link && stage && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    go(link.href);
  }
  const summary = event.target.closest("summary");
  if (summary) summary.parentElement.dataset.touched = "1";
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("#switches");
  if (form) go(location.pathname + "?" + new URLSearchParams(new FormData(form)));
});

watchFrames();
if (stage) point();
let known = document.body.dataset.version;
new EventSource("/events").onmessage = (event) => {
  if (event.data === known) return;
  known = event.data;
  if (stage) reload(); else location.reload();
};
