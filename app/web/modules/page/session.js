// Who is asking: a guest who need not know it, or somebody signed in. And the frame of every page: header and links.

import { Problem } from "../../api.js";
import { isSignedIn, usher } from "./client.js";
import { el } from "./dom.js";
import { sentence } from "./notices.js";
import { choose, language, t } from "../words.js";

export { isSignedIn, usher };

const KEPT = ["lang", "theme", "embed"];

export const isEmbedded = new URLSearchParams(location.search).get("embed") === "1";

/** An address of ours, in the same language, theme and frame. */
export function link(path) {
  const [address, hash] = path.split("#");
  const query = new URLSearchParams([...new URLSearchParams(location.search)].filter(([name]) => KEPT.includes(name)));
  return `${address}${query.size ? `?${query}` : ""}${hash === undefined ? "" : `#${hash}`}`;
}

export function logo() {
  const NS = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(NS, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of [["rect", { width: 24, height: 24, rx: 6 }], ["path", { class: "u", d: "M7.5 6.5v6a4.5 4.5 0 0 0 9 0v-6M7 18.5h10" }]]) {
    const part = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    picture.append(part);
  }
  return picture;
}

/** The header; none in a frame. `skip` is a link that comes first. */
export function header({ skip = null, current = null, changed = () => location.reload() } = {}) {
  const first = skip && el("nav", { class: "skip", "aria-label": t("skip") }, skip);
  if (isEmbedded) return [first].filter(Boolean);
  const here = (name) => (current === name ? "page" : null);
  const other = language === "de" ? ["en", "English"] : ["de", "Deutsch"];
  const url = new URL(location.href);
  url.searchParams.set("lang", other[0]);
  const account = el("span", { class: "account" });
  const fill = () => account.replaceChildren(accountButton(changed));
  usher.addEventListener("token", fill);
  fill();
  const links = [
    el("a", { class: "is-home", href: link("/"), "aria-current": here("screenings") }, t("allScreenings")),
    el("a", { href: link("/bookings"), "aria-current": here("bookings") }, t("myBookings")),
    account,
    el("a", { href: url.href, lang: other[0], hreflang: other[0], class: "language", on: { click: (event) => switchLanguage(event, other[0]) } }, other[1]),
  ];
  return [first, el("header", { class: "top" }, el("a", { class: "brand", href: link("/") }, logo(), el("span", {}, "Usher")), el("nav", { "aria-label": t("main") }, links))].filter(Boolean);
}

function switchLanguage(event, wanted) {
  choose(wanted);
  const url = new URL(event.currentTarget.href);
  url.hash = location.hash;
  event.currentTarget.href = url.href;
}

function accountButton(changed) {
  if (isSignedIn()) {
    const out = async () => {
      await usher.signOut().catch(() => {});
      changed();
    };
    return el("button", { type: "button", class: "link", on: { click: out } }, t("signOut"));
  }
  return el("button", { type: "button", class: "link", testid: "sign-in", on: { click: () => signIn(changed) } }, t("signIn"));
}

/** Asks for name and password. Who is signed in then keeps what they held as a guest. */
export function signIn(done) {
  const opener = document.querySelector("[data-testid=sign-in]");
  opener?.removeAttribute("data-testid");
  const username = el("input", { id: "username", type: "text", autocomplete: "username", autocapitalize: "none", required: true, testid: "username" });
  const password = el("input", { id: "password", type: "password", autocomplete: "current-password", required: true, testid: "password" });
  const error = el("p", { class: "bad", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await usher.signIn(username.value, password.value);
    } catch (problem) {
      error.textContent = problem instanceof Problem ? (problem.status === 401 ? t("wrongPassword") : sentence(problem)) : t("noAnswer");
      return;
    }
    dialog.close();
    done();
  };
  const dialog = el(
    "dialog",
    { class: "dialog", "aria-labelledby": "sign-in-title", on: { close: () => (opener?.isConnected && (opener.dataset.testid = "sign-in"), dialog.remove()) } },
    el(
      "form",
      { on: { submit } },
      el("h2", { id: "sign-in-title" }, t("signIn")),
      el("p", { class: "muted small" }, t("signInKeeps")),
      el("label", { for: "username" }, t("username"), username),
      el("label", { for: "password" }, t("password"), password),
      error,
      el("div", { class: "does" }, el("button", { type: "submit", class: "button button-primary", testid: "sign-in" }, t("signIn")), el("button", { type: "button", class: "button button-quiet", on: { click: () => dialog.close() } }, t("cancelAction"))),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** A page that could not be shown: what happened, a way on, and the number to quote. */
export function failure(problem, again) {
  const gone = problem instanceof Problem && problem.status === 404;
  const text = gone ? t("noSuchScreening") : !(problem instanceof Problem) ? t("noAnswer") : problem.code === "busy" ? t("busy") : sentence(problem);
  return el(
    "main",
    { class: "plain", testid: "error" },
    el("h1", {}, t(gone ? "notFound" : "somethingWrong")),
    el("p", {}, text),
    el("p", { class: "does" }, gone ? el("a", { class: "button button-primary", href: link("/") }, t("allScreenings")) : el("button", { type: "button", class: "button button-primary", testid: "try-again", on: { click: again } }, t("tryAgain"))),
    problem.requestId && el("p", { class: "muted small" }, t("reference", { id: problem.requestId })),
  );
}
