{
  const found = JSON.parse(document.getElementById('runs').textContent);
  const at = id => document.getElementById(id);
  const MOST_LISTED = 200;
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const [KEY, NETWORK, VARIANT, LAMBDA, UNGUIDED, SECONDS, SETTINGS, METRICS, HISTORIES] = Array(9).keys();
  const plain = name => name.replaceAll('_', ' ').replace(/\b(mse|iou|ece)\b/g, word => word.toUpperCase());
  const minus = text => String(text).replace('-', '\u2212');
  const said = value => value == null ? 'not available' : minus(Number(value.toPrecision(4)));
  const signed = (value, digits) => value == null ? 'not available'
    : (value > 0 ? '+' : '') + (digits == null ? said(value) : minus(value.toFixed(digits)));
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const cap = text => text.charAt(0).toUpperCase() + text.slice(1);
  const unique = values => [...new Set(values)];
  let chart = null, family = null;

  // what is chosen

  const chosen = id => [...at(id).querySelectorAll('input:checked')].map(box => box.value);
  const option = (text, value) => Object.assign(document.createElement('option'), {textContent: text, value});
  const options = (id, texts) => at(id).replaceChildren(...texts.map((text, place) => option(text, place)));

  function chips(id, values, colours) {
    const made = values.map((value, place) => {
      const chip = Object.assign(document.createElement('label'), {className: 'chip'});
      chip.append(Object.assign(document.createElement('input'), {type: 'checkbox', value}));
      if (colours) chip.append(document.createElement('i'));
      chip.append(value);
      return chip;
    });
    at(id).replaceChildren(at(id).querySelector('legend'), ...made);
  }

  function choose(name) {
    family = found.families.find(one => one.name === name) || found.families[0];
    at('family').value = family.name;
    options('variant', [...family.variants, 'all variants']);
    at('variant').value = Math.max(0, family.variants.findIndex(variant => !variant.startsWith('unguided')));
    chips('networks', family.networks);
    chips('lambdas', lambdas().map(String), true);
    options('curve', family.histories.map(plain));
    options('number', family.metrics.map(plain));
    at('about').textContent = family.about;
    const runs = family.networks.map(network => family.runs.filter(
      run => run[NETWORK] === network && run[VARIANT] === Number(at('variant').value)).length);
    const widest = runs.lastIndexOf(Math.max(...runs));
    const box = at('networks').querySelectorAll('input')[widest];
    if (box && family.networks.length > 1) box.checked = true;
  }

  const lambdas = () => unique(family.runs.map(run => run[LAMBDA])).sort((one, other) => one - other);

  // The runs of the variant, and the unguided runs that they are compared with, unless lambda 0 is not among the chosen.
  function selection() {
    const networks = chosen('networks'), only = chosen('lambdas').map(Number), variant = Number(at('variant').value);
    const every = variant === family.variants.length;
    const here = family.runs.filter(run => (every || run[VARIANT] === variant)
      && (!networks.length || networks.includes(run[NETWORK])));
    const compared = here.map(run => run[UNGUIDED]).filter(place => place != null).map(place => family.runs[place]);
    return unique([...compared, ...here]).filter(run => !only.length || only.includes(run[LAMBDA]));
  }

  const unguidedOf = run => run[UNGUIDED] == null ? null : family.runs[run[UNGUIDED]];
  const minusOf = (one, other) => one == null || other == null ? null : one - other;

  // the chart

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = () => getComputedStyle(document.documentElement).colorScheme === 'dark';
  function colourOf(lambda) {
    if (lambda === 0) return colour('--fg');
    const guided = lambdas().filter(Boolean);
    const share = guided.length > 1 ? guided.indexOf(lambda) / (guided.length - 1) : 0;
    return `oklch(${dark() ? 0.78 : 0.53} 0.17 ${40 + 280 * share})`;
  }

  function curveOf(run) {
    const which = Number(at('curve').value), own = run[HISTORIES][which];
    if (!at('paired').checked) return own;
    const other = unguidedOf(run);
    return other ? own.slice(0, other[HISTORIES][which].length).map((v, k) => minusOf(v, other[HISTORIES][which][k])) : [];
  }

  function draw(runs) {
    if (chart) chart.destroy();
    const name = plain(family.histories[at('curve').value]), paired = at('paired').checked;
    const label = paired ? `${name}, guided minus unguided` : name;
    const drawn = runs.map(run => [run, curveOf(run)]).filter(([, curve]) => curve.length);
    const epochs = Math.max(1, ...drawn.map(([, curve]) => curve.length));
    const numbers = drawn.flatMap(([, curve]) => curve).filter(value => value != null);
    const lowest = numbers.reduce((one, other) => Math.min(one, other), Infinity);
    const highest = numbers.reduce((one, other) => Math.max(one, other), -Infinity);
    const logarithmic = at('log').checked && lowest > 0;
    const rows = [Array.from({length: epochs}, (_, k) => k + 1)];
    for (const [, curve] of drawn) rows.push(rows[0].map((_, k) => curve[k] ?? null));
    const axis = {stroke: colour('--fg'), grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1}};
    const opacity = drawn.length > 60 ? 0.5 : 0.9;
    const short = drawn.length && epochs < 3;
    chart = new uPlot({
      width: at('chart').clientWidth, height: Math.min(460, Math.max(320, at('chart').clientWidth * 0.5)),
      scales: {x: {time: false}, y: logarithmic ? {distr: 3} : {range: (_, low, high) => around(low, high)}},
      axes: [
        {...axis, label: 'epoch', incrs: [1, 2, 5, 10, 20, 25, 50, 100]},
        {...axis, label, size: 72, values: (_, ticks) => ticks.map(tick => tick == null ? '' : said(tick))}],
      series: [{}, ...drawn.map(([run]) => ({
        stroke: colourOf(run[LAMBDA]), width: run[LAMBDA] === 0 ? 2 : 1.5, alpha: opacity,
        dash: DASHES[networksShown(runs).indexOf(run[NETWORK]) % DASHES.length], points: {show: short}}))],
      legend: {show: false},
      cursor: {points: {show: false}, focus: {prox: 30}},
      focus: {alpha: 0.15},
      hooks: {setSeries: [(plot, place) => tell(plot, drawn, place)], setCursor: [plot => tell(plot, drawn, plot.told)]},
    }, rows, at('chart'));
    const which = unique(drawn.map(([run]) => run[LAMBDA])).join(', ');
    const between = numbers.length ? `, from ${said(lowest)} to ${said(highest)}` : '';
    at('readout').textContent = paired && lowest === 0 && highest === 0
      ? 'Every difference is 0: as long as it runs, each guided run has the curve of its unguided run.'
      : 'Point at a curve to read it. Drag over some epochs to enlarge them; a double click shows all again.';
    at('chart').setAttribute('aria-label', `${drawn.length} curves of ${label} by epoch, lambda ${which || 'none'}${between}`);
  }

  // Ends of an axis: some room, also where all values are the same.
  function around(low, high) {
    if (low == null) return [0, 1];
    const room = low === high ? Math.abs(low) || 1 : 0.05 * (high - low);
    return [low - room, high + room];
  }

  const networksShown = runs => unique(runs.map(run => run[NETWORK]));

  function tell(plot, drawn, place) {
    plot.told = place;
    const epoch = plot.cursor.idx;
    if (!place || epoch == null || !drawn[place - 1]) return;
    const [run, curve] = drawn[place - 1];
    const value = curve[epoch] == null ? `ended after epoch ${curve.length}` : `epoch ${epoch + 1}: ${said(curve[epoch])}`;
    at('readout').textContent = `${value}. ${cap(nameOf(run))}.`;
  }

  const seedOf = run => {
    const place = family.varied.indexOf('replicate');
    return place < 0 ? family.shared.replicate : run[SETTINGS][place];
  };
  const nameOf = run => `${run[NETWORK]}, lambda ${run[LAMBDA]}, ${family.variants[run[VARIANT]]}, seed ${seedOf(run)}, run ${run[KEY]}`;

  // the tables

  function table(id, caption, heads, rows) {
    const cell = (text, head, number) => Object.assign(document.createElement(head ? 'th' : 'td'),
      {textContent: text, className: number ? 'num' : ''}, head ? {scope: head} : {});
    const line = cells => { const row = document.createElement('tr'); row.append(...cells); return row; };
    const top = document.createElement('thead'), body = document.createElement('tbody');
    top.append(line(heads.map(([text, number]) => cell(text, 'col', number))));
    body.append(...rows.map(row => line(row.map((text, k) => cell(text, k ? null : 'row', heads[k][1])))));
    at(id).replaceChildren(Object.assign(document.createElement('caption'), {textContent: caption}), top, body);
  }

  function pairs(runs) {
    const which = Number(at('number').value), name = plain(family.metrics[which]);
    const cells = new Map();
    for (const run of runs) {
      const other = unguidedOf(run);
      if (!other || run[METRICS][which] == null || other[METRICS][which] == null) continue;
      const cell = JSON.stringify([run[NETWORK], run[VARIANT], run[LAMBDA]]);
      cells.set(cell, [...(cells.get(cell) || []), [run[METRICS][which], other[METRICS][which]]]);
    }
    const rows = [...cells].map(([cell, both]) => {
      const [network, variant, lambda] = JSON.parse(cell), gaps = both.map(([one, other]) => one - other);
      return [network, family.variants[variant], lambda, both.length, said(mean(both.map(pair => pair[0]))),
        said(mean(both.map(pair => pair[1]))), ...withInterval(gaps)];
    });
    at('pairs-about').textContent = rows.length
      ? `${cap(name)}: the mean over seeds, and the 95 % t-interval of the mean difference. It is no test: it knows nothing of how many cells you looked at.`
      : 'No chosen run has an unguided run of the same seed beside it.';
    table('pairs-table', `${cap(name)}, guided and unguided`, [['network'], ['variant'], ['lambda', 1], ['pairs', 1],
      ['guided', 1], ['unguided', 1], ['difference', 1], ['95 % interval', 1]], rows);
  }

  // The mean, and its 95 % t-interval with two digits of its width.
  function withInterval(gaps) {
    const middle = mean(gaps), spread = gaps.reduce((sum, gap) => sum + (gap - middle) ** 2, 0) / (gaps.length - 1);
    if (gaps.length < 2) return [signed(middle), 'one pair'];
    if (spread === 0) return [signed(middle), 'no spread'];
    const quantile = found.t[Math.min(gaps.length - 1, found.t.length) - 1], half = quantile * Math.sqrt(spread / gaps.length);
    const digits = Math.max(0, 1 - Math.floor(Math.log10(2 * half)));
    return [signed(middle, digits), `${signed(middle - half, digits)} to ${signed(middle + half, digits)}`];
  }

  function list(runs) {
    const which = Number(at('number').value), name = plain(family.metrics[which]);
    const rows = runs.slice(0, MOST_LISTED).map(run => {
      const other = unguidedOf(run), value = run[METRICS][which];
      return [run[KEY], run[NETWORK], family.variants[run[VARIANT]], run[LAMBDA], seedOf(run), Math.max(...run[HISTORIES].map(one => one.length)),
        said(value), other ? signed(minusOf(value, other[METRICS][which])) : '', said(run[SECONDS])];
    });
    at('list-about').textContent = runs.length > MOST_LISTED
      ? `The first ${MOST_LISTED} of ${runs.length} runs; the CSV has all of them.` : `All ${runs.length} chosen runs.`;
    table('runs-table', `Chosen runs with their ${name}`, [['run'], ['network'], ['variant'], ['lambda', 1], ['seed', 1], ['epochs', 1],
      [name, 1], ['difference', 1], ['seconds', 1]], rows);
  }

  // what can be taken away

  const quoted = value => value == null ? '' : /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  function save(name, heads, rows) {
    const text = [heads, ...rows].map(row => row.map(quoted).join(',')).join('\n') + '\n';
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], {type: 'text/csv'}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  const keyOf = run => run && run[KEY];
  at('save-runs').onclick = () => save(`${family.name}-runs.csv`,
    ['key', 'unguided_key', 'variant', ...Object.keys(family.shared), ...family.varied, ...family.metrics, 'seconds'],
    selection().map(run => [run[KEY], keyOf(unguidedOf(run)), family.variants[run[VARIANT]], ...Object.values(family.shared),
      ...run[SETTINGS], ...run[METRICS], run[SECONDS]]));
  at('save-curves').onclick = () => save(`${family.name}-curves.csv`,
    ['key', 'lambda', 'epoch', ...family.histories],
    selection().flatMap(run => Array.from({length: Math.max(...run[HISTORIES].map(one => one.length))}, (_, k) =>
      [run[KEY], run[LAMBDA], k + 1, ...run[HISTORIES].map(history => history[k])])));

  // the address tells what is shown, so that it can be passed on

  const FIELDS = ['variant', 'curve', 'number'], BOXES = ['paired', 'log'];
  function address() {
    const told = new URLSearchParams({family: family.name});
    for (const id of ['networks', 'lambdas']) for (const value of chosen(id)) told.append(id, value);
    for (const id of FIELDS) told.set(id, at(id).selectedOptions[0].textContent);
    for (const id of BOXES) if (at(id).checked) told.set(id, 'yes');
    history.replaceState(null, '', `#${told}`);
  }
  function follow() {
    const told = new URLSearchParams(location.hash.slice(1));
    choose(told.get('family'));
    if (!told.has('variant')) return;
    for (const id of ['networks', 'lambdas'])
      for (const box of at(id).querySelectorAll('input')) box.checked = told.getAll(id).includes(box.value);
    for (const id of FIELDS)
      for (const one of at(id).options) if (one.textContent === told.get(id)) at(id).value = one.value;
    for (const id of BOXES) at(id).checked = told.has(id);
  }

  function paint() {
    at('lambdas').querySelectorAll('.chip').forEach(chip =>
      chip.style.setProperty('--c', colourOf(Number(chip.querySelector('input').value))));
    const runs = selection();
    at('count').textContent = `${runs.length} of ${family.runs.length} runs.`;
    draw(runs);
    return runs;
  }
  function show() {
    const runs = paint();
    pairs(runs);
    list(runs);
  }

  at('family').replaceChildren(...found.families.map(one => option(`${one.name} (${one.runs.length})`, one.name)));
  if (found.families.length) {
    follow();
    show();
    at('family').onchange = () => { choose(at('family').value); show(); address(); };
    at('choose').onchange = event => { if (event.target.id !== 'family') { show(); address(); } };
    at('reset').onclick = () => { choose(family.name); for (const id of BOXES) at(id).checked = false; show(); address(); };
    addEventListener('hashchange', () => { if (location.hash.includes('family=')) { follow(); show(); } });
    new MutationObserver(paint).observe(document.documentElement, {attributeFilter: ['data-theme']});
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
    let width = at('chart').clientWidth;
    addEventListener('resize', () => { if (at('chart').clientWidth !== width) { width = at('chart').clientWidth; paint(); } });
  }
}
