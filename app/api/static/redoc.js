// Starts ReDoc on what the page's element says. Its styles carry the page's nonce.
const element = document.getElementById("document");

Redoc.init(
  element.dataset.url,
  { nonce: element.dataset.nonce, hideDownloadButton: false, nativeScrollbars: true },
  element,
);
