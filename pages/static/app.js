// Twinlatch: small extras. Every page works without this file, except the touch of a security key.
(() => {
  const all = (sel, fn) => document.querySelectorAll(sel).forEach(fn);
  const on = (el, type, fn) => el.addEventListener(type, fn);

  all("[data-js]", (el) => { el.hidden = false; if (el.autofocus) el.focus(); });
  all("[data-nojs]", (el) => el.remove());

  // One submit per form: a second press must not look like a used code.
  all("form", (f) => on(f, "submit", (e) => { if (f.sent) e.preventDefault(); f.sent = true; }));
  on(window, "pageshow", () => all("form", (f) => { f.sent = false; }));

  // Copy, print, show password. Every word comes from the page.
  all("[data-copy]", (b) => on(b, "click", async () => {
    const say = document.getElementById(b.dataset.say);
    try {
      const from = document.getElementById(b.dataset.copy);
      await navigator.clipboard.writeText([...(from.children.length ? from.children : [from])].map((n) => n.textContent.replace(/\s/g, "")).join("\n"));
      say.textContent = b.dataset.done;
    } catch { say.textContent = b.dataset.fail; }
  }));
  all("[data-print]", (b) => on(b, "click", () => print()));
  all("[data-reveal]", (b) => on(b, "click", () => {
    const box = document.getElementById(b.dataset.reveal), shown = box.type === "text";
    box.type = shown ? "password" : "text";
    b.setAttribute("aria-pressed", String(!shown));
  }));

  // Codes: typed codes wait for Enter; pasted, autofilled and text-message codes go at once. A whole message ends with "#123456".
  all("input.code:not(.long)", (box) => {
    const go = () => /(^|#)\d{6}$/.test(box.value.replace(/[\s-]/g, "")) && box.form.requestSubmit();
    on(box, "input", (e) => { if (!e.inputType || /Paste|Replacement/.test(e.inputType)) go(); });
    if ("sms" in box.dataset && "OTPCredential" in window) {
      const stop = new AbortController();
      on(box.form, "submit", () => stop.abort());
      navigator.credentials.get({ otp: { transport: ["sms"] }, signal: stop.signal })
        .then((c) => { box.value = c.code; go(); }, () => {});
    }
  });

  // Security key: <form data-webauthn="get|create" data-options="JSON"> with a hidden "response".
  // data-auto asks at once, the first time that the page is shown, and says nothing when
  // the browser wants a press first. A press asks anew.
  const bin = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const str = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  all("form[data-webauthn]", (f) => {
    const say = f.querySelector("[role=status]"), d = f.dataset;
    let stop;
    const ask = async (pressed) => {
      stop?.abort();
      const { signal } = stop = new AbortController();
      say.textContent = d.wait;
      try {
        const o = JSON.parse(d.options);
        for (const x of [o.user, ...(o.allowCredentials || []), ...(o.excludeCredentials || [])]) if (x) x.id = bin(x.id);
        o.challenge = bin(o.challenge);
        const c = await navigator.credentials[d.webauthn]({ publicKey: o, signal }), response = {};
        for (const k of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
          if (c.response[k]) response[k] = str(c.response[k]);
        if (c.response.getTransports) response.transports = c.response.getTransports();
        f.elements.response.value = JSON.stringify({ id: c.id, rawId: str(c.rawId), type: c.type, response });
        f.sent = true;
        f.submit();
      } catch (e) {
        if (signal.aborted) return;
        f.sent = false;
        say.textContent = !pressed ? "" : e.name === "InvalidStateError" ? d.known : d.retry;
      }
    };
    on(f, "submit", (e) => {
      if (e.defaultPrevented) return;
      e.preventDefault();
      ask(true);
    });
    if (!window.PublicKeyCredential) {
      say.textContent = d.none;
      f.querySelector("[data-js]").hidden = true;
    } else if ("auto" in d && performance.getEntriesByType("navigation")[0]?.type === "navigate") ask();
  });
})();
