// Before the first paint: the chosen colour scheme (an inline script would need a hole in the CSP).
(function () {
  var s = null;
  try { s = (localStorage.getItem('pbColorScheme') || '').replace(/"/g, ''); } catch (e) { /* storage is off */ }
  if (s === 'light' || s === 'dark') document.documentElement.dataset.scheme = s;
})();
