// Every state of the page, as the shop's status gives it: shown, free of faults that axe-core knows, in light and dark.
// Statuses that the page must not believe change nothing.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  ROOM,
  SKU,
  SOON,
  answerStatus,
  faultsOf,
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

const instant = (seconds) => new Date(Date.now() + 1000 * seconds).toISOString();

const STATES = {
  announced: { state: 'announced', opens_at: null },
  countdown: () => ({ state: 'announced', opens_at: instant(93_784) }),
  lobby: () => ({ state: 'announced', opens_at: instant(90), waiting_room: ROOM }),
  line: {
    waiting_room: { ...ROOM, state: 'serving', last_place: 3000, serving: 40, serving_limit: 60, rate_per_minute: 60 },
  },
  ready: {},
  may_return: { skus: [{ ...SKU, available: 0, sold_out: true, may_return: true }] },
  sold_out: { skus: [{ ...SKU, available: 0, sold_out: true }] },
  paused: { state: 'paused' },
  recovering: { type: '/problems/recovering', status: 503, retry_after_seconds: 1 },
  ended: { state: 'ended' },
};

for (const [state, change] of Object.entries(STATES)) {
  test(`${state} is shown, and readable for everybody`, async () => {
    const sale = await openSale();
    for (const colorScheme of ['light', 'dark']) {
      const page = await visitor({ colorScheme });
      await answerStatus(page, (status) => ({
        ...(state === 'recovering' ? {} : status),
        ...(typeof change === 'function' ? change() : change),
      }));
      await visit(page, sale);
      await inState(page, state);
      assert.deepEqual(await faultsOf(page), []);
      assert.notEqual(await text(page, 'spoken'), '');
      assert.ok(await page.isHidden('#connection'));
      assert.equal(await reserveButton(page).isEnabled(), state === 'ready');
      await picture(page, `${state}-${colorScheme}`);
      assert.deepEqual(page.faults, []);
      await leave(page);
    }
  });
}

test('a seed is held against the hash that was seen when the lot was given, and not against one that is told with it', async () => {
  const [announced, swapped] = ['0', '1'].map((digit) => {
    const seed = digit.repeat(64);
    return { seed, seed_hash: createHash('sha256').update(Buffer.from(seed, 'hex')).digest('hex') };
  });
  const sale = await openSale({ opensIn: 1800, waiting_room: { rate_per_minute: 6, turn_seconds: 60 } });
  for (const [colorScheme, told, words] of [
    ['light', announced, /The seed is the one that was announced/],
    ['light', swapped, /The seed is NOT the one that was announced/],
    ['dark', swapped, /The seed is NOT the one that was announced/],
  ]) {
    const page = await visitor({ colorScheme });
    let room = { ...ROOM, seed_hash: announced.seed_hash };
    await answerStatus(page, (status) => ({
      ...status,
      state: room.seed ? 'open' : 'announced',
      waiting_room: room,
    }));
    await visit(page, sale);
    await page.click('#join');
    await page.waitForSelector('#join', { state: 'hidden' });
    assert.ok(await page.isHidden('#draw'));
    room = { ...ROOM, ...told, state: 'serving', last_place: 1204 };
    await inState(page, 'waiting');
    assert.match(await text(page, 'draw-text'), words);
    await page.reload();
    await inState(page, 'waiting');
    assert.match(await text(page, 'draw-text'), words);
    assert.deepEqual(await faultsOf(page), []);
    await picture(page, `draw-${told === announced ? 'good' : 'bad'}-${colorScheme}`);
    assert.deepEqual(page.faults, []);
    await leave(page);
  }
});

test('a hold and an order are readable for everybody', async () => {
  const sale = await openSale();
  for (const colorScheme of ['light', 'dark']) {
    const page = await visitor({ colorScheme });
    await visit(page, sale);
    await reserveButton(page).click();
    await inState(page, 'holding');
    assert.deepEqual(await faultsOf(page), []);
    await picture(page, `holding-${colorScheme}`);
    await page.click('#confirm');
    await inState(page, 'ordered');
    assert.deepEqual(await faultsOf(page), []);
    await picture(page, `ordered-${colorScheme}`);
    await leave(page);
  }
});

test('a shop that answers and cannot say where the sale stands is no lost connection', async () => {
  for (const [status, type] of [
    [429, '/problems/quota-exceeded'],
    [500, '/problems/internal'],
  ]) {
    const page = await visitor();
    await answerStatus(page, () => ({ type, status, retry_after_seconds: 1 }));
    await page.goto(`${url}/sales/${await openSale()}/en`);
    await page.waitForSelector('#connection:not([hidden])');
    assert.match(await text(page, 'connection'), /^The shop cannot answer at the moment/);
    await leave(page);
  }
  const page = await visitor();
  await page.route('**/status', (route) => route.abort('connectionrefused'));
  await page.goto(`${url}/sales/${await openSale()}/en`);
  await page.waitForSelector('#connection:not([hidden])');
  assert.match(await text(page, 'connection'), /^No connection/);
});

test('while the shop is being rebuilt the page says nothing of the connection, however long it takes', async () => {
  const page = await visitor();
  await visit(page, await openSale());
  await inState(page, 'ready');
  await answerStatus(page, () => STATES.recovering);
  await inState(page, 'recovering');
  // Longer than what is shown may be old without a word.
  await page.waitForTimeout(11_000);
  assert.equal(await page.getAttribute('main', 'data-state'), 'recovering');
  assert.ok(await page.isHidden('#connection'));
});

for (const [name, answer] of Object.entries({
  'of another sale': (status) => ({ ...status, sale: 'another', state: 'ended' }),
  'that is no JSON': () => '<html>login</html>',
  'of a state that there is not': (status) => ({ ...status, state: 'free-for-all' }),
  'without its time': ({ server_time, ...status }) => ({ ...status, state: 'ended' }),
  'with a number that is none': (status) => ({ ...status, state: 'ended', skus: [{ ...SKU, available: 'many' }] }),
  'without a SKU': (status) => ({ ...status, skus: [] }),
  'of the SKUs of another sale': (status) => ({ ...status, skus: [{ ...SKU, sku: 'another', available: 0 }] }),
  'whose lobby opens at no instant': (status) => ({
    ...status,
    waiting_room: { ...ROOM, state: 'not_open', lobby_opens_at: 'soon' },
  }),
  'whose waiting room is in no state': (status) => ({ ...status, waiting_room: { ...ROOM, state: 'flooded' } }),
  'whose seed is none': (status) => ({ ...status, waiting_room: { ...ROOM, seed: '0' } }),
  'that announces no seed': (status) => ({ ...status, waiting_room: { ...ROOM, seed_hash: null } }),
  'that is older than the last one': (status) => ({ ...status, state: 'ended', server_time: '2020-01-01T00:00:00Z' }),
})) {
  test(`a status ${name} is not believed`, async () => {
    const sale = await openSale();
    const page = await visitor();
    await visit(page, sale);
    await inState(page, 'ready');
    let answers = 0;
    await answerStatus(page, (status) => {
      answers += 1;
      return answer(status);
    });
    const until = Date.now() + SOON;
    while (answers < 2 && Date.now() < until) await page.waitForTimeout(100);
    assert.ok(answers >= 2);
    assert.equal(await page.getAttribute('main', 'data-state'), 'ready');
    assert.deepEqual(page.faults, []);
  });
}

test('the clock believes no answer that the page does not, and no other host than that of the stock', async () => {
  const late = '2099-01-01T00:00:00Z';
  const page = await visitor();
  await visit(page, await openSale({ opensIn: 1800, waiting_room: { rate_per_minute: 6, turn_seconds: 60 } }));
  await inState(page, 'lobby');
  await page.route('**/tickets', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), server_time: late } });
  });
  await page.click('#join');
  await page.waitForSelector('#join', { state: 'hidden' });
  let answers = 0;
  await answerStatus(page, (status) => {
    answers += 1;
    return { ...status, sale: 'another', server_time: late };
  });
  const until = Date.now() + SOON;
  while (answers < 2 && Date.now() < until) await page.waitForTimeout(100);
  assert.ok(answers >= 2);
  assert.match(await text(page, 'countdown'), /^(29|30):\d\d/);
});

test('a SKU that was added since is no reason to believe nothing any more', async () => {
  const page = await visitor();
  await answerStatus(page, (status) => ({ ...status, state: 'paused', skus: [SKU, { ...SKU, sku: 'added' }] }));
  await visit(page, await openSale());
  await inState(page, 'paused');
});

test('whatever goes wrong while a status is shown, the next one is asked for', async () => {
  const page = await visitor();
  await visit(page, await openSale());
  await inState(page, 'ready');
  await page.evaluate(() => {
    window.section = document.getElementById('state');
    window.section.remove();
  });
  let answers = 0;
  await answerStatus(page, (status) => {
    answers += 1;
    return { ...status, state: 'paused' };
  });
  await page.waitForEvent('pageerror');
  const until = Date.now() + SOON;
  while (answers < 2 && Date.now() < until) await page.waitForTimeout(100);
  assert.ok(answers >= 2);
  await page.evaluate(() => document.querySelector('main').prepend(window.section));
  await inState(page, 'paused');
  const isTold = () => document.getElementById('state-title').textContent === 'The sale is paused';
  await page.waitForFunction(isTold);
});

test('what a merchant writes is text, whatever it is, and fits the screen', async () => {
  const title = `<img src=x onerror=alert(1)> 🎉 שלום مرحبا ${'w'.repeat(150)}`;
  const sale = await openSale({
    title,
    description: '<script>alert(1)</script> '.repeat(120),
    skus: [{ sku: 'numbered', title, price_minor: 1, stock: 5 }],
  });
  const page = await visitor({ viewport: { width: 320, height: 640 } });
  let dialogs = 0;
  page.on('dialog', (dialog) => {
    dialogs += 1;
    dialog.dismiss();
  });
  await visit(page, sale);
  await inState(page, 'ready');
  assert.equal(await page.textContent('h1'), title);
  assert.equal(dialogs, 0);
  assert.equal(
    await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
    0,
  );
  await picture(page, 'merchant-text');
  await reserveButton(page).click();
  await inState(page, 'holding');
  // It takes nothing of the sentence around it to its side.
  assert.ok((await text(page, 'hold-text')).startsWith(`1 × \u2068${title}\u2069, `));
  assert.deepEqual(page.faults, []);
});

test('a picture is shown where it comes, and one that is missing leaves no hole', async () => {
  const picture =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="9"><rect width="16" height="9" fill="teal"/></svg>';
  for (const address of ['/pictures/record.svg', 'https://pictures.example/record.svg']) {
    for (const status of [200, 404]) {
      const page = await visitor();
      await page.route('**/record.svg', (route) =>
        route.fulfill({ status, contentType: 'image/svg+xml', body: status === 200 ? picture : '' }),
      );
      await visit(page, await openSale({ picture: address }));
      await inState(page, 'ready');
      await page.waitForFunction(() => document.querySelector('.picture').complete);
      assert.equal(await page.isVisible('.picture'), status === 200, `${address} ${status}`);
      if (status === 200)
        assert.equal(await page.evaluate(() => document.querySelector('.picture').naturalWidth > 0), true);
      assert.deepEqual(await faultsOf(page), []);
      assert.deepEqual(page.faults, []);
      await leave(page);
    }
  }
});

test('what moves is the sign that an order is being placed, and for a visitor who wants less motion nothing', async () => {
  for (const [reducedMotion, moving] of [
    ['no-preference', 1],
    ['reduce', 0],
  ]) {
    const page = await visitor({ reducedMotion });
    await visit(page, await openSale());
    await reserveButton(page).click();
    await inState(page, 'holding');
    // No answer comes.
    await page.route('**/order', () => {});
    await page.click('#confirm');
    await inState(page, 'confirming');
    assert.equal(await page.evaluate(() => document.getAnimations().length), moving);
    await leave(page);
  }
});
