const root = document.documentElement;
const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
document.getElementById('theme').onclick = () => {
  const now = root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  root.dataset.theme = now === 'dark' ? 'light' : 'dark';
};
all('[data-copy]', button => button.onclick = () => {
  if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = 'copied';
});
const large = document.getElementById('large');
all('.zoom', button => button.onclick = () => {
  const shown = button.querySelector('img');
  large.querySelector('img').src = shown.src;
  large.querySelector('img').alt = shown.alt;
  large.showModal();
});
if (large) large.onclick = () => large.close();
addEventListener('beforeprint', () => all('details', fold => { fold.dataset.was = fold.open; fold.open = true; }));
addEventListener('afterprint', () => all('details', fold => { fold.open = fold.dataset.was === 'true'; }));
const unfold = () => {
  const aim = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = aim && aim.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
};
addEventListener('hashchange', unfold);
unfold();
