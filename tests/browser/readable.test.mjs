// What a shopper brings about, in light and dark: free of faults that axe-core knows, like the states of the sale
// (states.test.mjs) and the limit that is reached (slips.test.mjs).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ROOM,
  answerStatus,
  faultsOf,
  inState,
  leave,
  openSale,
  picture,
  reserveButton,
  visit,
  visitor,
  withBrowser,
} from './shop.mjs';

withBrowser();

function readable(name, bring) {
  test(`${name} is readable for everybody`, async () => {
    for (const colorScheme of ['light', 'dark']) {
      const page = await visitor({ colorScheme });
      await bring(page, await openSale());
      assert.deepEqual(await faultsOf(page), []);
      await picture(page, `${name}-${colorScheme}`);
      assert.deepEqual(page.faults, []);
      await leave(page);
    }
  });
}

async function hold(page, sale) {
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
}

for (const [state, number, turn] of [
  ['waiting', 50, { state: 'waiting', place: 50, ahead: 44, left_ms: null }],
  ['turn', 3, { state: 'served', place: 3, ahead: null, left_ms: 90_000 }],
  ['turn_over', 3, { state: 'passed', place: 3, ahead: null, left_ms: null }],
])
  readable(state, async (page, sale) => {
    const room = {
      ...ROOM,
      state: 'serving',
      lobby: 0,
      last_place: 60,
      serving: 5,
      serving_limit: 5,
      rate_per_minute: 6,
    };
    await answerStatus(page, { waiting_room: room });
    await page.route('**/tickets', (route) => route.fulfill({ json: { sale, lot: '0'.repeat(26), number, turn } }));
    await visit(page, sale);
    await page.click('#join');
    await inState(page, state);
  });

readable('confirming', async (page, sale) => {
  await hold(page, sale);
  // No answer comes.
  await page.route('**/order', () => {});
  await page.click('#confirm');
  await inState(page, 'confirming');
});

readable('release', async (page, sale) => {
  await hold(page, sale);
  await page.click('#release');
  await page.waitForSelector('dialog[open]');
});

readable('hold-warning', async (page, sale) => {
  await page.route('**/reservations', async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    const expires_at = new Date(Date.parse(told.server_time) + 25_000).toISOString();
    await route.fulfill({ response, json: { ...told, expires_at } });
  });
  await hold(page, sale);
  await page.waitForSelector('#hold-warning:not([hidden])');
});

readable('offline', async (page, sale) => {
  await hold(page, sale);
  await page.context().setOffline(true);
  await page.waitForSelector('#connection:not([hidden])');
  // Who sees nothing hears of it.
  assert.equal(await page.getAttribute('#connection', 'role'), 'status');
});

readable('last-order', async (page, sale) => {
  await hold(page, sale);
  await page.click('#confirm');
  await inState(page, 'ordered');
  await page.click('#go-on');
  await page.waitForSelector('#last-order:not([hidden])');
});
