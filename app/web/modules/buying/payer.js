// Who pays, and where the confirmation goes. An account keeps its address unless its owner asks for another one.

import { NoAnswer, Problem, insist } from "../../api.js";
import { el, say } from "../page/dom.js";
import { isSignedIn, signIn, usher } from "../page/session.js";
import { t } from "../words.js";

export class Payer {
  /** The address that the service has; null: none; undefined: not asked yet. */
  #known = undefined;

  /** `changed()` is told when somebody else pays from now on. */
  constructor({ changed }) {
    this.changed = changed;
    this.email = el("input", { id: "email", type: "email", autocomplete: "email", inputmode: "email", required: true, testid: "email", "aria-describedby": "email-hint email-account", on: { input: () => this.#compare(), blur: () => this.#fillIn() } });
    this.who = el("p", { class: "small" });
    this.about = el("p", { class: "small", id: "email-account", hidden: true });
    this.use = el("input", { type: "checkbox", id: "use-email" });
    this.useWord = el("span", {});
    this.useLabel = el("label", { class: "check", for: "use-email", hidden: true }, this.use, this.useWord);
    const hint = el("p", { class: "muted small", id: "email-hint" }, t("emailHint"));
    this.element = el("fieldset", {}, el("legend", {}, t("whereTo")), this.who, el("label", { for: "email" }, t("email"), this.email), hint, this.about, this.useLabel);
    usher.addEventListener("token", () => this.#newPerson());
    this.#sayWho();
  }

  /** Says who is asking, and fills in the address that is known already. */
  async update() {
    this.#sayWho();
    this.#known = undefined;
    try {
      await this.#learn();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    }
    this.#fillIn();
  }

  // Never under the hands of whoever writes an address.
  #fillIn() {
    if (this.#known && !this.email.value && document.activeElement !== this.email) this.email.value = this.#known;
    this.#compare();
  }

  #newPerson() {
    this.#known = undefined;
    if (this.element.offsetParent) this.update();
    else this.#sayWho();
  }

  async #learn() {
    this.#known = usher.token ? (await usher.me()).body.email : null;
  }

  /** Whether an address is given; if not, the field says so and takes the focus. */
  isComplete() {
    const isAddress = /^[^\s@]+@[^\s@]+$/.test(this.#given);
    if (isAddress) {
      this.email.removeAttribute("aria-invalid");
    } else {
      this.refuse();
    }
    return isAddress;
  }

  /** The field says that it has no address, and takes the focus. */
  refuse() {
    this.email.setAttribute("aria-invalid", "true");
    this.email.focus();
  }

  /** Tells the service the address, if it may know it. Throws Problem and NoAnswer. */
  async give() {
    const given = this.#given;
    if (this.#known === undefined) await this.#learn();
    if (given === this.#known || (this.#isOfAccount && !this.use.checked)) return;
    await insist(() => usher.giveEmail(given));
    this.#known = given;
    this.#compare();
  }

  get #given() {
    return this.email.value.trim();
  }

  /** Whether paying with another address would change that of an account. */
  get #isOfAccount() {
    return isSignedIn() && Boolean(this.#known);
  }

  #sayWho() {
    const signsIn = () => el("button", { type: "button", class: "link", on: { click: () => signIn(() => this.changed()) } }, t("signIn"));
    this.who.replaceChildren(...(isSignedIn() ? [t("signedIn")] : [t("haveAccount"), " ", signsIn()]));
  }

  #compare() {
    const given = this.#given;
    const differs = this.#isOfAccount && given !== "" && given !== this.#known;
    const isFirst = isSignedIn() && this.#known === null && given !== "";
    say(this.about, differs ? t("goesToAccount", { email: this.#known }) : isFirst ? t("becomesOfAccount") : "");
    this.about.hidden = !(differs || isFirst);
    this.useLabel.hidden = !differs;
    if (!differs) this.use.checked = false;
    say(this.useWord, t("useForAccount", { email: given }));
  }
}
