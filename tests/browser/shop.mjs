// What the tests in the browser share: the shop under test, its merchant, a browser and a sale of one's own.
//
// `SHOP_URL` and `SHOP_ADMIN_TOKEN` name a running system; `SCREENSHOTS`, if it is set, is the folder where every
// state is kept as a picture; `CHROMIUM` is where the browser is. `cargo spillway test` sets them (tests/browser.rs).

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { after, before } from 'node:test';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const url = process.env.SHOP_URL;
const token = process.env.SHOP_ADMIN_TOKEN;
const screenshots = process.env.SCREENSHOTS;

export const PHONE = { width: 360, height: 740 };
// How long the page may take to show what has happened, on a machine that has much else to do.
export const SOON = 30_000;

let browser;

// One browser for all tests of a file; each visitor has cookies and storage of their own.
export function withBrowser() {
  before(async () => {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    // Nobody else is in this browser, and root may not have its sandbox.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  after(async () => {
    for (const context of browser.contexts()) await leave(context.pages()[0]);
    await browser.close();
  });
}

// Closes what this visitor has open; what the test still answers for the shop is nobody's any more.
export async function leave(page) {
  const context = page.context();
  for (const each of context.pages()) await each.unrouteAll({ behavior: 'ignoreErrors' });
  await context.close();
}

export async function visitor(options = {}) {
  const context = await browser.newContext({ viewport: PHONE, locale: 'en-GB', ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(SOON);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|TypeError/.test(message.text())) page.faults.push(message.text());
  });
  return page;
}

const inSeconds = (seconds) => new Date(Date.now() + 1000 * seconds).toISOString();

export async function admin(method, path, body) {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': randomBytes(8).toString('hex'),
  };
  const response = await fetch(`${url}/admin${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

// A sale that opened a moment ago, unless the terms say otherwise.
export async function openSale({ opensIn = -1, ...terms } = {}) {
  const sale = `web-${randomBytes(6).toString('hex')}`;
  const definition = {
    title: 'Record of the year',
    description: 'Clear vinyl, numbered.',
    currency: 'EUR',
    closes_at: inSeconds(3600),
    hold_seconds: 300,
    limit_per_shopper: 2,
    shoppers: ['guest'],
    skus: [{ sku: 'numbered', title: 'Numbered copy', price_minor: 3900, stock: 5 }],
    ...(opensIn === null ? {} : { opens_at: inSeconds(opensIn) }),
    ...terms,
  };
  await admin('PUT', `/sales/${sale}`, definition);
  return sale;
}

// `available/held/sold` of a sale's first SKU.
export async function figures(sale) {
  const {
    skus: [sku],
  } = await admin('GET', `/sales/${sale}/report`);
  return `${sku.available}/${sku.held}/${sku.sold}`;
}

export const inState = (page, state, timeout = SOON) =>
  page.waitForSelector(`main[data-state="${state}"]`, { timeout });

// The page of a sale, once the shop has told it where the sale stands.
export async function visit(page, sale, language = 'en') {
  await page.goto(`${url}/sales/${sale}/${language}`);
  await page.waitForSelector('main:not([data-state="loading"])');
}

export async function picture(page, name) {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
}

// What axe-core has against the page as it is now.
export async function faultsOf(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

export const text = (page, id) => page.textContent(`#${id}`);

export const reserveButton = (page) => page.locator('.reserve').first();

// What the shop says of a sale, changed by these members; a function is given the whole.
export async function answerStatus(page, change) {
  await page.route('**/status', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    const changed = typeof change === 'function' ? change(status) : { ...status, ...change };
    await route.fulfill({
      status: changed.status ?? 200,
      contentType: 'application/json',
      body: typeof changed === 'string' ? changed : JSON.stringify(changed),
    });
  });
}

export const SKU = { sku: 'numbered', available: 5, sold_out: false, may_return: false };
export const ROOM = {
  state: 'lobby',
  lobby_opens_at: null,
  door_closed: false,
  lobby: 1204,
  seed_hash: '0'.repeat(64),
  seed: null,
  last_place: 0,
  serving: 0,
  serving_limit: 5,
  rate_per_minute: 0,
  turn_seconds: 120,
};
