// A purchase, from the address that somebody was sent to the order in hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ROOM,
  admin,
  answerStatus,
  faultsOf,
  figures,
  inState,
  leave,
  openSale,
  picture,
  reserveButton,
  text,
  url,
  visit,
  visitor,
  withBrowser,
} from './shop.mjs';

withBrowser();

test('a shopper on a phone buys, and finds each step again after a reload', async () => {
  const sale = await openSale();
  const page = await visitor();
  await page.goto(`${url}/sales/${sale}`);
  assert.equal(page.url(), `${url}/sales/${sale}/en`);
  await inState(page, 'ready');
  await page.selectOption('select', '2');
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.match(await text(page, 'hold-text'), /2 × \u2068Numbered copy\u2069, €78\.00/);
  assert.equal(await figures(sale), '3/2/0');
  await page.reload();
  await inState(page, 'holding');
  assert.equal(await figures(sale), '3/2/0');
  await page.click('#confirm');
  await inState(page, 'ordered');
  const {
    orders: [order],
  } = await admin('GET', `/sales/${sale}/orders`);
  assert.equal(await text(page, 'order-number'), order.id);
  await page.reload();
  await inState(page, 'ordered');
  assert.equal(await text(page, 'order-number'), order.id);
  assert.equal(await figures(sale), '3/0/2');
  assert.ok(await page.isHidden('#last-order'));
  await page.click('#go-on');
  await inState(page, 'ready');
  // The number is to be found again: here, in another tab, and after a reload.
  const another = await page.context().newPage();
  await visit(another, sale);
  await page.reload();
  for (const each of [another, page]) {
    await inState(each, 'ready');
    await each.click('#last-order');
    await inState(each, 'ordered');
    assert.equal(await text(each, 'order-number'), order.id);
    assert.match(await text(each, 'order-text'), /2 × \u2068Numbered copy\u2069/);
    await each.click('#go-on');
    await inState(each, 'ready');
  }
  await picture(page, 'last-order');
  await reserveButton(page).click();
  await page.waitForSelector('#message:not([hidden])');
  assert.match(await text(page, 'message'), /as many as one person may have|reservation already/);
  assert.deepEqual(page.faults, []);
});

test('a price has the digits that the shop counts in, whatever the browser thinks of the currency', async () => {
  const sku = { sku: 'numbered', title: 'Numbered copy', price_minor: 199_900, stock: 5 };
  for (const [currency, price] of [
    ['HUF', /^HUF\s1,999\.00$/],
    ['JPY', /^JP¥199,900$|^¥199,900$/],
  ]) {
    const page = await visitor();
    await visit(page, await openSale({ currency, skus: [sku] }));
    assert.match(await page.textContent('.price'), price);
    await reserveButton(page).click();
    await inState(page, 'holding');
    assert.match(await text(page, 'hold-text'), new RegExp(price.source.replaceAll(/[$^]/g, '')));
    await leave(page);
  }
});

test('a tab in the background shows the state by its title and its icon', async () => {
  const page = await visitor();
  await visit(page, await openSale());
  await inState(page, 'ready');
  const icon = () => page.getAttribute('link[rel=icon]', 'href');
  assert.equal(await page.title(), 'Open · Record of the year');
  assert.match(await icon(), /icon-now/);
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.match(await page.title(), /^[45]:\d\d · Record of the year$/);
  await page.click('#confirm');
  await inState(page, 'ordered');
  assert.equal(await page.title(), 'Ordered · Record of the year');
  assert.match(await icon(), /icon-done/);
});

test('a tab in the background shows by its title why nothing can be chosen', async () => {
  const gone = { sku: 'numbered', available: 0, sold_out: true, may_return: false };
  const waiting_room = { ...ROOM, state: 'serving', last_place: 60, serving: 5 };
  const turn = { state: 'passed', place: 3, ahead: null, left_ms: null };
  for (const [state, change, title] of [
    ['sold_out', { skus: [gone] }, 'Sold out'],
    ['may_return', { skus: [{ ...gone, may_return: true }] }, 'Everything is reserved at the moment'],
    ['paused', { state: 'paused' }, 'The sale is paused'],
    ['ended', { state: 'ended' }, 'The sale is over'],
    ['turn_over', { waiting_room }, 'Your turn is over'],
  ]) {
    const page = await visitor();
    await answerStatus(page, change);
    await page.route('**/tickets', (route) => route.fulfill({ json: { lot: '0'.repeat(26), number: 3, turn } }));
    await visit(page, await openSale());
    if (state === 'turn_over') await page.click('#join');
    await inState(page, state);
    assert.equal(await page.title(), `${title} · Record of the year`);
    assert.match(await page.getAttribute('link[rel=icon]', 'href'), /icon\./);
    await leave(page);
  }
});

test('a limit that is reached elsewhere is told, with the way on', async () => {
  const sale = await openSale({ limit_per_shopper: 1 });
  const page = await visitor();
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.click('#confirm');
  await inState(page, 'ordered');
  await page.click('#go-on');
  await inState(page, 'ready');
  await reserveButton(page).click();
  // The order is the reservation that the shopper has.
  await inState(page, 'ordered');
  assert.match(await text(page, 'message'), /already/);
  assert.equal(await figures(sale), '4/0/1');
});

test('a purchase needs no pointer', async () => {
  const sale = await openSale({ limit_per_shopper: 1 });
  const page = await visitor({ viewport: { width: 1024, height: 768 } });
  await visit(page, sale);
  await inState(page, 'ready');
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'skip');
  for (let presses = 0; presses < 20 && !(await focused()).includes('reserve'); presses += 1)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await inState(page, 'holding');
  await page.waitForFunction(() => document.activeElement.id === 'hold-title');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'confirm');
  await page.keyboard.press('Enter');
  await inState(page, 'ordered');
  await page.waitForFunction(() => document.activeElement.id === 'order-title');
  assert.equal(await figures(sale), '4/0/1');
});

// Where the keyboard is: the id of the element, or of the one that describes it.
const focusIs = (page, id) =>
  page.waitForFunction(
    (wanted) => [document.activeElement.id, document.activeElement.getAttribute('aria-describedby')].includes(wanted),
    id,
  );

test('a press that is refused leaves the keyboard where it was', async () => {
  const page = await visitor();
  await visit(page, await openSale());
  await page.route('**/reservations', async (route) => {
    // Long enough for a browser to take the focus from a button that is disabled.
    await page.waitForTimeout(500);
    await route.fulfill({ status: 409, json: { type: '/problems/sale-paused', status: 409 } });
  });
  await reserveButton(page).focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#message:not([hidden])');
  await focusIs(page, 'sku-1');
});

test('giving back asks once, and a no keeps the reservation', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.click('#release');
  await picture(page, 'release');
  await page.click('dialog [value=no]');
  await inState(page, 'holding');
  await focusIs(page, 'release');
  assert.equal(await figures(sale), '4/1/0');
  await page.click('#release');
  await page.keyboard.press('Escape');
  await focusIs(page, 'release');
  assert.equal(await figures(sale), '4/1/0');
  await page.click('#release');
  await page.click('dialog [value=yes]');
  await inState(page, 'ready');
  await focusIs(page, 'sale');
  assert.match(await text(page, 'message'), /gave your reservation back/);
  assert.equal(await figures(sale), '5/0/0');
});

test('each language says everything, and fits the smallest phone', async () => {
  const sale = await openSale();
  for (const language of ['en', 'de', 'es', 'ja', 'zh-Hans']) {
    const page = await visitor({ viewport: { width: 320, height: 640 } });
    await visit(page, sale, language);
    const seen = [await page.innerText('body')];
    await reserveButton(page).click();
    await inState(page, 'holding');
    seen.push(await page.innerText('body'));
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0, `${language} is wider than the screen`);
    assert.ok(!seen.join().match(/\{\w+\}|undefined|NaN/), `${language}: ${seen.join()}`);
    assert.equal(await page.getAttribute('html', 'lang'), language);
    await picture(page, `holding-${language}`);
    await page.click('#confirm');
    await inState(page, 'ordered');
    assert.deepEqual(page.faults, []);
    await leave(page);
  }
});

// What axe-core has against what this visitor sees, by name. It needs a browser that runs scripts.
async function faultNames(page) {
  const reader = await visitor({ storageState: await page.context().storageState() });
  await reader.goto(page.url());
  const faults = await faultsOf(reader);
  await leave(reader);
  return faults.map((fault) => fault.split(':')[0]);
}

test('without JavaScript the page loads itself again while it waits, and not under the hands of a shopper', async () => {
  const early = await openSale({ opensIn: 15 });
  const page = await visitor({ javaScriptEnabled: false });
  await page.goto(`${url}/sales/${early}/plain/en`);
  await picture(page, 'plain-early');
  assert.deepEqual(await faultNames(page), ['meta-refresh']);
  await page.waitForSelector('button:text("Reserve"):enabled');
  assert.equal(await page.locator('meta[http-equiv]').count(), 0);
  const room = { rate_per_minute: 1, turn_seconds: 60 };
  await page.goto(`${url}/sales/${await openSale({ waiting_room: room })}/plain/en`);
  await page.click('button:text("Take a ticket")');
  await page.waitForSelector('h1:text("Waiting room")');
  await picture(page, 'plain-line');
  assert.deepEqual(await faultNames(page), ['meta-refresh']);
  await page.click('text=Look again');
  await page.waitForSelector('text=/Your place is 1|It is your turn/');
});

test('without JavaScript the page leads to its plain form, which buys', async () => {
  const sale = await openSale();
  const page = await visitor({ javaScriptEnabled: false });
  await page.goto(`${url}/sales/${sale}/en`);
  await page.waitForURL('**/plain/en');
  assert.match(await page.innerText('main'), /Record of the year[^]*39\.00 EUR/);
  await picture(page, 'plain');
  assert.deepEqual(await faultNames(page), []);
  await page.selectOption('select', '2');
  await page.click('text=Reserve');
  await page.waitForURL('**/reservations/*');
  assert.match(await page.innerText('main'), /2 × numbered, 78\.00 EUR/);
  await picture(page, 'plain-hold');
  // It loads itself again when the hold is over, which is not in anybody's hands.
  assert.deepEqual(await faultNames(page), ['meta-refresh']);
  await page.click('text=Order now');
  await page.waitForURL('**/orders/*');
  await picture(page, 'plain-order');
  assert.deepEqual(await faultNames(page), []);
  const {
    orders: [order],
  } = await admin('GET', `/sales/${sale}/orders`);
  assert.ok((await page.innerText('main')).includes(order.id));
  assert.equal(await figures(sale), '3/0/2');
  await page.click('text=Back to the sale');
  await page.waitForURL('**/plain/en');
});
