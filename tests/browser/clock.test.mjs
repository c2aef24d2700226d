// The clock that counts is the shop's, whatever the browser's says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figures, inState, openSale, picture, reserveButton, visit, visitor, withBrowser } from './shop.mjs';

withBrowser();

// A browser whose clock is wrong by so many hours, and jumps by as many again when it is asked to.
async function wrongBy(hours) {
  const page = await visitor();
  await page.addInitScript((ms) => {
    const TrueDate = Date;
    window.wrongMs = ms;
    window.Date = class extends TrueDate {
      constructor(...given) {
        super(...(given.length ? given : [TrueDate.now() + window.wrongMs]));
      }
      static now() {
        return TrueDate.now() + window.wrongMs;
      }
    };
  }, hours * 3_600_000);
  return page;
}

for (const hours of [5, -5]) {
  test(`a browser whose clock is wrong by ${hours} hours opens with the sale, and its countdown never goes back`, async () => {
    const opening = Date.now() + 12_000;
    const sale = await openSale({ opensIn: 12 });
    const page = await wrongBy(hours);
    await visit(page, sale);
    await inState(page, 'countdown');
    await picture(page, 'countdown');
    assert.ok(await reserveButton(page).isDisabled());
    await page.evaluate(() => {
      window.seen = [];
      window.spoken = [];
      new MutationObserver(() => window.spoken.push(document.getElementById('spoken').textContent)).observe(
        document.getElementById('spoken'),
        { childList: true },
      );
      const note = () => {
        const clock = document.getElementById('countdown');
        const [minutes, seconds] = clock.textContent.split(':').map(Number);
        if (!clock.hidden) window.seen.push(60 * minutes + seconds);
      };
      new MutationObserver(note).observe(document.getElementById('countdown'), {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    await page.waitForTimeout(2_000);
    await page.evaluate(() => {
      window.wrongMs *= -1;
    });
    await inState(page, 'ready');
    const late = Date.now() - opening;
    assert.ok(late > -1_000, `open ${-late} ms too early`);
    const seen = await page.evaluate(() => window.seen);
    assert.ok(seen.length >= 4, `${seen}`);
    assert.ok(
      seen.every((seconds, index) => index === 0 || seconds <= seen[index - 1]),
      `${seen}`,
    );
    // A screen reader hears milestones, not each second.
    const spoken = await page.evaluate(() => window.spoken);
    assert.ok(spoken.length <= 2 && spoken.at(-1) === 'The sale is open', `${spoken}`);
    await reserveButton(page).click();
    await inState(page, 'holding');
    assert.equal(await figures(sale), '4/1/0');
    assert.deepEqual(page.faults, []);
  });
}
