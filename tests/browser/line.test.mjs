// The waiting room: two browsers pass through lobby, draw and turns, in the order of the draw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, inState, leave, openSale, picture, reserveButton, text, visit, visitor, withBrowser } from './shop.mjs';

withBrowser();

const DRAWN = /worked out your place again/;
const TRIES = 8;

// Two shoppers in the lobby of a sale that opens in a moment, once the draw is over.
async function drawn() {
  const sale = await openSale({
    opensIn: 6,
    limit_per_shopper: 1,
    waiting_room: { rate_per_minute: 6, turn_seconds: 600 },
  });
  const pages = [await visitor(), await visitor()];
  for (const page of pages) {
    await visit(page, sale);
    await inState(page, 'lobby');
    await page.click('#join');
    await page.waitForSelector('#join', { state: 'hidden' });
    assert.match(await text(page, 'line-text'), /You are in the lobby/);
  }
  await picture(pages[0], 'lobby-with-ticket');
  const isDrawn = (words) => new RegExp(words).test(document.getElementById('draw-text').textContent);
  for (const page of pages) await page.waitForFunction(isDrawn, DRAWN.source, { timeout: 20_000 });
  return { sale, pages };
}

test('two shoppers pass through lobby, draw and turns in the order of their places', async () => {
  for (let tries = 1; ; tries += 1) {
    assert.ok(tries <= TRIES, 'the lots of two shoppers fall on one place, each time');
    const { sale, pages } = await drawn();
    const states = () => Promise.all(pages.map((page) => page.getAttribute('main', 'data-state')));
    const until = Date.now() + 20_000;
    while (!(await states()).includes('turn') && Date.now() < until) await pages[0].waitForTimeout(100);
    // Two lots of a small lobby may fall on the same place, which is served as one.
    const places = await Promise.all(pages.map((page) => text(page, 'line-text')));
    if (!places.some((place) => /Your place is 2/.test(place))) {
      for (const page of pages) await leave(page);
      continue;
    }
    const [first, second] = (await states())[0] === 'turn' ? pages : [...pages].reverse();
    assert.deepEqual(
      [await first.getAttribute('main', 'data-state'), await second.getAttribute('main', 'data-state')],
      ['turn', 'waiting'],
    );
    assert.ok(await reserveButton(second).isDisabled());
    await Promise.all([picture(first, 'turn'), picture(second, 'waiting')]);
    await reserveButton(first).click();
    await inState(first, 'holding');
    // A reload keeps the place.
    await second.reload();
    await inState(second, 'turn', 30_000);
    await reserveButton(second).click();
    await inState(second, 'holding');
    const report = await admin('GET', `/sales/${sale}/report`);
    assert.equal(report.skus[0].held, 2);
    for (const page of pages) assert.deepEqual(page.faults, []);
    return;
  }
});
