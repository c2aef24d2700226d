// What Lighthouse says of a page: `node tests/browser/lighthouse.mjs URL`, such as http://127.0.0.1:8080/sales/demo/en. It is
// fetched by npx; Chromium is the one of the tests.

import { execFileSync } from 'node:child_process';

const VERSION = '12.8.2';
const [url] = process.argv.slice(2);
if (!url) {
  console.error('usage: node tests/browser/lighthouse.mjs URL');
  process.exit(2);
}
const CHROME_PATH = process.env.CHROMIUM ?? '/usr/bin/chromium';
const categories = 'performance,accessibility,best-practices,seo';
const options = [
  '--output=json',
  '--quiet',
  `--only-categories=${categories}`,
  '--chrome-flags=--headless --no-sandbox',
];
const report = JSON.parse(
  execFileSync('npx', ['--yes', `lighthouse@${VERSION}`, url, ...options], {
    env: { ...process.env, CHROME_PATH },
    maxBuffer: 64e6,
  }),
);
for (const { title, score } of Object.values(report.categories))
  console.log(`${title.padEnd(16)} ${Math.round(100 * score)}`);
for (const { id, title, score, scoreDisplayMode } of Object.values(report.audits)) {
  if (scoreDisplayMode === 'binary' && score === 0) console.log(`failed: ${id}: ${title}`);
}
