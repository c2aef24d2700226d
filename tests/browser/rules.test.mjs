// The rules of the waiting room that the page has from the shop, without a browser: the draw gives the places of
// draw.json, and the serving number moves as in serving.json; tests/browser.rs holds the shop to both as well.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { webcrypto } from 'node:crypto';
import { crowd } from './crowd.mjs';

const code = readFileSync(new URL('../../functions/page/assets/queue.js', import.meta.url), 'utf8');
const rulesOf = (sale) =>
  runInNewContext(`const sale = ${JSON.stringify(sale)}; ${code}; ({ drawnPlace, isLot, isSeedOf, servingAfter })`, {
    crypto: webcrypto,
    TextEncoder,
  });

test('the page draws the places that the shop draws', async () => {
  const draws = JSON.parse(readFileSync(new URL('draw.json', import.meta.url), 'utf8'));
  assert.ok(draws.length > 0);
  for (const { sale, seed, seed_hash, lot, lobby, place } of draws) {
    const rules = rulesOf(sale);
    assert.equal(await rules.drawnPlace(seed, lot, lobby), place);
    assert.ok(rules.isLot(lot));
    assert.ok(await rules.isSeedOf(seed, seed_hash));
    assert.ok(
      !(await rules.isSeedOf(
        seed,
        seed_hash.replace(/./, (digit) => (digit === '0' ? '1' : '0')),
      )),
    );
  }
});

test('what is no lot has no place', () => {
  const { isLot } = rulesOf('demo');
  const lot = '5q2rmldmeak74orqplq6dv5m1o';
  assert.ok(isLot(lot));
  for (const other of ['', lot.slice(1), `${lot}0`, lot.toUpperCase(), lot.replace('5', 'w'), lot.replace(/o$/, 'p')])
    assert.ok(!isLot(other), other);
});

test('the serving number moves as the shop says: by its rate, up to its limit, and never back', () => {
  const examples = JSON.parse(readFileSync(new URL('serving.json', import.meta.url), 'utf8'));
  assert.ok(examples.length > 0);
  const { servingAfter } = rulesOf('demo');
  for (const { elapsed_ms, serving_after, ...room } of examples)
    assert.equal(servingAfter(room, elapsed_ms), serving_after);
});

test("the shop's clock is a moment early at most, never goes back, and an answer that took long changes nothing of that", () => {
  const source = readFileSync(new URL('../../functions/page/assets/clock.js', import.meta.url), 'utf8');
  const performance = { now: () => 10_000 };
  const { noteServerTime, serverNow } = runInNewContext(`${source}; ({ noteServerTime, serverNow })`, { performance });
  assert.equal(serverNow(), null);
  // Asked at 9,900 of the browser's clock, answered at 9,940: made in between, at 1,000,000 by the shop's.
  noteServerTime(1_000_000, 9_900, 9_940);
  assert.equal(serverNow(), 1_000_080);
  // Out of a cache, two seconds old.
  noteServerTime(998_000, 9_950, 9_960);
  assert.equal(serverNow(), 1_000_080);
  // Fresher than the first one.
  noteServerTime(1_000_090, 9_960, 9_980);
  assert.equal(serverNow(), 1_000_120);
  // Took eight seconds: by half of that the clock would be four seconds early. That it was made is certain.
  noteServerTime(1_000_100, 2_000, 10_000);
  assert.equal(serverNow(), 1_000_250);
  noteServerTime(999_000, 2_000, 10_000);
  assert.equal(serverNow(), 1_000_250);
});

test('a hundred thousand who wait for ten minutes cost the shop less than a thousand requests, and ten thousand as many', () => {
  const [many, few] = [crowd(100_000, 10), crowd(10_000, 10)];
  assert.ok(many.requests > 40_000_000, `${many.requests} requests`);
  assert.ok(many.origin > 500 && many.origin < 1000, `${many.origin}`);
  assert.ok(Math.abs(many.origin - few.origin) <= 12, `${many.origin} and ${few.origin}`);
});
