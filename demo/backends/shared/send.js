// What a user does, to the application.
//
//     const { ok, status, why } = await send("/jobs", new FormData(form))
//
// `why` is a text for the page, "no answer" if none came (`status` is 0).  `body`
// is what fetch() takes, or a form's data, which are sent as a form sends them.

export async function send(url, body) {
  try {
    const { ok, status } = await fetch(url, {
      method: "POST",
      body: body instanceof FormData ? new URLSearchParams(body) : body,
    });
    return { ok, status, why: `the server says ${status}` };
  } catch {
    return { ok: false, status: 0, why: "no answer" };
  }
}
