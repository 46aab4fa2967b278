// Only while the form is flooded: half a second of work in the background, so that people go before programs.
// Without it the form works as well, a little later.
(async () => {
  const form = document.querySelector("form[data-rounds]"), {subtle} = crypto, text = new TextEncoder()
  if (!form || !subtle) return
  const {rounds, bits} = form.dataset, {stamp, proof} = form.elements
  const key = await subtle.importKey("raw", text.encode(stamp.value), "PBKDF2", false, ["deriveBits"])
  for (let tried = 0; !proof.value; tried++) {
    const how = {name: "PBKDF2", hash: "SHA-256", iterations: +rounds, salt: text.encode(tried)}
    const made = new DataView(await subtle.deriveBits(how, key, 32))
    if (made.getUint32(0) >>> 32 - bits === 0) proof.value = tried
  }
})()
