// A form with data-passkey has the browser sign before it is sent: what it asks for stands in
// data-options or is fetched from data-options-from, what it answers goes into its data-credential.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  const answers = {
    create: async (options) => {
      options.challenge = bytes(options.challenge);
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = known(options.excludeCredentials);
      const made = await navigator.credentials.create({ publicKey: options });
      return [made, {
        attestationObject: text(made.response.attestationObject),
        transports: made.response.getTransports?.() ?? [],
      }];
    },
    get: async (options) => {
      options.challenge = bytes(options.challenge);
      options.allowCredentials = known(options.allowCredentials);
      const made = await navigator.credentials.get({ publicKey: options });
      const { authenticatorData, signature, userHandle } = made.response;
      return [made, {
        authenticatorData: text(authenticatorData),
        signature: text(signature),
        ...(userHandle ? { userHandle: text(userHandle) } : {}),
      }];
    },
  };
  const reasons = {
    NotAllowedError: "Nothing was chosen, or it took too long. Try once more, or another way.",
    InvalidStateError: "This device has a passkey of yours for this hub already.",
    SecurityError: "This is not the address at which the hub has passkeys. Open it at its own.",
    NotSupportedError: "This device has no kind of passkey that the hub takes.",
  };
  const told = async (form) => {
    if (form.dataset.options) return JSON.parse(form.dataset.options);
    const answer = await fetch(form.dataset.optionsFrom, { method: "POST", credentials: "same-origin" });
    if (!answer.ok) throw new Error("options");
    return answer.json();
  };

  const busy = new WeakSet();
  // Before app.js sees it: a form that is not sent yet keeps its button.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const field = form.dataset.passkey && form.querySelector("[data-credential]");
    if (!field || field.value) return;
    event.preventDefault();
    event.stopPropagation();
    if (busy.has(form)) return;
    busy.add(form);
    const wrong = form.querySelector("[role=alert]");
    wrong.hidden = true;
    try {
      const [made, response] = await answers[form.dataset.passkey](await told(form));
      response.clientDataJSON = text(made.response.clientDataJSON);
      field.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
      form.requestSubmit(event.submitter);
    } catch (error) {
      wrong.textContent = reasons[error.name] ?? "That did not work. Load the page again, and try once more or another way.";
      wrong.hidden = false;
    } finally {
      busy.delete(form);
    }
  }, true);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) document.querySelectorAll("[data-credential]").forEach((each) => { each.value = ""; });
  });
  if (!window.PublicKeyCredential)
    for (const form of document.querySelectorAll("[data-passkey]")) {
      form.querySelector("button").disabled = true;
      form.querySelector("[role=alert]").textContent = "This browser has no passkeys at this address.";
      form.querySelector("[role=alert]").hidden = false;
    }
})();
