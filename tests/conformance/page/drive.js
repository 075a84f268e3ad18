// Uses the page of adversarial.py as a reader would and writes down what it shows. run.sh puts this
// into a copy of the page without its policy, and compares with drive.expected.
(async () => {
  const $ = (id) => document.getElementById(id);
  const out = [];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const set = async (id, value, kind) => {
    $(id).value = value;
    $(id).dispatchEvent(new Event(kind, { bubbles: true }));
    await wait(300);
  };
  const texts = (selector) => [...document.querySelectorAll(selector)].map((e) => e.textContent);
  const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  // The folder of the file is of no interest.
  const info = () => $("info").innerText.replace(/\s+/g, " ").replace(/ in .*$/, "");
  const here = () => document.querySelector(".ex.here header a").textContent.replace(/^.*\//, "");

  await set("search", "nowhere at all", "input");
  out.push(`search for nothing: ${$("count").textContent}`);
  await set("search", "IN HEBREW", "input");
  out.push(`search: ${$("count").textContent}, ${texts(".t.hit").join("|")}`);
  await set("search", "שלום", "input");
  out.push(`search for Hebrew: ${$("count").textContent}`);
  await set("search", "", "input");
  out.push(`filters: ${[...$("filter").options].map((o) => o.textContent).join("; ")}`);
  await set("filter", "spelled", "change");
  out.push(`spelled: ${$("count").textContent}, ${texts('.ex:first-child .t.x').join("")}`);
  await set("filter", "turns", "change");
  out.push(`turns: ${$("count").textContent}, ${texts(".t.cutoff").join("")}`);
  await set("filter", "refused", "change");
  out.push(`refused: ${texts(".ex").length} drawn, ${document.querySelectorAll("#refused tr").length - 1} rows`);
  await set("goto", "5", "change");
  out.push(`line 5: ${here()}`);
  await set("unit", "record", "change");
  await set("goto", "9", "change");
  out.push(`record 9: ${here()}`);
  await set("goto", "77", "change");
  out.push(`record 77: ${$("count").textContent}`);
  document.querySelector('.ex.here .t[data-i="0"]').focus();
  out.push(`first token: ${info()}`);
  press("ArrowRight");
  out.push(`right: ${document.activeElement.dataset.i}`);
  press("End");
  out.push(`end: ${info()}`);
  press("ArrowUp");
  out.push(`up: ${document.activeElement.closest(".ex").querySelector("a").textContent.replace(/^.*:/, "line ")}`);
  press("/");
  out.push(`slash: ${document.activeElement.id}`);
  return out;
})().catch((e) => [`failed: ${e.stack}`]).then((out) => {
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = `\n${out.join("\n")}\n`;
  document.body.append(result);
});
