// Which page this is. Every page is the same document.

import { mountAnnouncer } from "./page/announce.js";
import { bookPage } from "./buying/book.js";
import { bookingsPage } from "./bookings/bookings.js";
import { screeningsPage } from "./buying/screenings.js";
import { giftPage, offeredCode } from "./bookings/gift.js";
import { isEmbedded } from "./page/session.js";

const root = document.getElementById("app");
const query = new URLSearchParams(location.search);
const theme = query.get("theme");

if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
if (isEmbedded) document.documentElement.dataset.embed = "true";
mountAnnouncer(document.body);

const [, first, second] = location.pathname.split("/");
if (first === "book") await bookPage(root, /^\d+$/.test(second) ? Number(second) : second);
else if (first === "bookings") {
  const show = () => (offeredCode() ? giftPage(root, offeredCode()) : bookingsPage(root));
  addEventListener("hashchange", show);
  await show();
} else await screeningsPage(root);
document.documentElement.dataset.ready = "true";
