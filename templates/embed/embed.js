// Answers in the page instead of leaving it. Without it, or when it fails, the form works as it stands.
document.querySelectorAll("form[data-newsletter]").forEach(form => {
  const told = form.appendChild(document.createElement("p"))
  const say = words => told.textContent = words
  told.setAttribute("role", "status")
  form.addEventListener("submit", event => {
    const {newsletter, sent, again, plain} = form.dataset
    if (plain) return
    event.preventDefault()
    const fields = Object.fromEntries(new FormData(form))
    if (fields.letter) fields.letter = true
    const headers = {"Content-Type": "application/json"}
    fetch(newsletter, {method: "POST", credentials: "omit", headers, body: JSON.stringify(fields)})
      .then(answer => answer.ok ? sent : answer.json().then(problem => problem.detail))
      .then(say)
      .catch(() => { form.dataset.plain = "yes"; say(again) })
  })
})
