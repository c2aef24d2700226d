// The waiting room: two browsers pass through lobby, draw and turns, in the order of the draw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, inState, leave, openSale, picture, reserveButton, text, visit, visitor, withBrowser } from './shop.mjs';

withBrowser();

const DRAWN = /worked out your place again/;
const LOT = /[0-9a-v]{26}/;
const TRIES = 12;

// Two shoppers in the lobby of a sale that opens in a moment, once the draw is over.
async function drawn() {
  const sale = await openSale({
    opensIn: 10,
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
  for (const page of pages) await page.waitForFunction(isDrawn, DRAWN.source);
  return { sale, pages };
}

// What the shop says of the ticket that this browser has.
const placeOf = (page, sale) =>
  page.evaluate(async (path) => {
    const told = await fetch(path, { method: 'POST' });
    return (await told.json()).turn.place;
  }, `/sales/${sale}/tickets`);

test('two shoppers pass through lobby, draw and turns in the order of their places', async () => {
  for (let tries = 1; ; tries += 1) {
    assert.ok(tries <= TRIES, 'the lots of two shoppers fall on one place, each time');
    const { sale, pages } = await drawn();
    const places = await Promise.all(pages.map((page) => placeOf(page, sale)));
    // Two lots of a small lobby may fall on the same place, which is served as one.
    if (places[0] === places[1]) {
      for (const page of pages) await leave(page);
      continue;
    }
    const lots = await Promise.all(pages.map(async (page) => (await text(page, 'draw-text')).match(LOT)[0]));
    // Each works out the place of the other one; who has no ticket can, too.
    const outsider = await visitor();
    await visit(outsider, sale);
    for (const [page, lot, place] of [
      [pages[0], lots[1], places[1]],
      [pages[1], ` ${lots[0].toUpperCase()}`, places[0]],
      [outsider, lots[0], places[0]],
    ]) {
      await page.fill('#lot', 'none');
      await page.press('#lot', 'Enter');
      assert.match(await text(page, 'lot-place'), /That is no lot/);
      await page.fill('#lot', lot);
      await page.click('#lot-form button');
      await page.waitForFunction(
        (words) => document.getElementById('lot-place').textContent === words,
        `In the draw among 2, this lot has place ${place}.`,
      );
    }
    await leave(outsider);
    const [first, second] = places[0] < places[1] ? pages : [...pages].reverse();
    await inState(first, 'turn');
    assert.ok(await first.isHidden('#line'), 'there is nothing more to say of the line');
    assert.equal(await second.getAttribute('main', 'data-state'), 'waiting');
    assert.match(await text(second, 'line-text'), /Your place is 2/);
    assert.ok(await reserveButton(second).isDisabled());
    await Promise.all([picture(first, 'turn'), picture(second, 'waiting')]);
    await reserveButton(first).click();
    await inState(first, 'holding');
    // A reload keeps the place.
    await second.reload();
    await inState(second, 'turn');
    assert.match(await text(second, 'state-text'), /at least (10:00|9:5\d) left/);
    await reserveButton(second).click();
    await inState(second, 'holding');
    const report = await admin('GET', `/sales/${sale}/report`);
    assert.equal(report.skus[0].held, 2);
    for (const page of pages) assert.deepEqual(page.faults, []);
    return;
  }
});

test('a turn that nobody uses is told how long it lasts, is over by itself, and another ticket brings another one', async () => {
  const sale = await openSale({ waiting_room: { rate_per_minute: 600, turn_seconds: 10 } });
  const page = await visitor();
  await visit(page, sale);
  await inState(page, 'line');
  await page.click('#join');
  await inState(page, 'turn');
  await page.waitForFunction(() => /at least 0:0[1-9] left/.test(document.getElementById('state-text').textContent));
  await inState(page, 'turn_over', 40_000);
  assert.ok(await reserveButton(page).isDisabled());
  await picture(page, 'turn-over');
  await page.click('#join');
  await inState(page, 'turn');
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.click('#release');
  await page.click('#release-dialog [value=yes]');
  // Its turn is used: the page is told so, and does not say that it goes on.
  await inState(page, 'turn_over');
  assert.deepEqual(page.faults, []);
});
