// What the page says: texts of its language, and prices, instants and lengths of time as that language writes them.

const language = document.documentElement.lang;
const texts = JSON.parse(document.getElementById('texts').textContent);
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);

// The text of a path such as `line.place`, with its values; where it has forms, `count` chooses.
function tell(path, values = {}) {
  let text = path.split('.').reduce((part, name) => part?.[name], texts);
  if (text && typeof text === 'object') text = text[plurals.select(values.count)] ?? text.other;
  const shown = (value) => (typeof value === 'number' ? numbers.format(value) : value);
  return (text ?? '').replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

// How many digits of a price are behind the point is the shop's to say: of some currencies the browser has another opinion.
function tellPrice(minor, currency) {
  const digits = Number(document.getElementById('sale').dataset.digits);
  const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, { style: 'currency', currency, ...shown }).format(minor / 10 ** digits);
}

const tellInstant = (ms) => new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' }).format(ms);
const tellTime = (ms) => new Intl.DateTimeFormat(language, { timeStyle: 'medium' }).format(ms);

// `1:05`, `2:03:04`, and days before that; the same in every language.
function tellLength(seconds) {
  const two = (number) => String(number).padStart(2, '0');
  const [days, hours, minutes] = [
    Math.floor(seconds / 86400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  const clock = hours || days ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  if (!days) return clock;
  const format = new Intl.NumberFormat(language, { style: 'unit', unit: 'day', unitDisplay: 'long' });
  return `${format.format(days)} ${clock}`;
}

// A problem in the page's language; what it has no words for, in those of the shop.
function tellProblem({ type, title, detail }) {
  const slug = String(type ?? '')
    .split('/')
    .pop();
  return texts.problem[slug] ?? ([title, detail].filter(Boolean).join(' ') || texts.problem.unknown);
}
