// A browser that test_page.py drives: one order a line on standard input, one answer a line on standard output, both in
// JSON; {"do": "open", "url": "...", "options": {}} is one, the others stand below.
//   node page.js BROWSER
"use strict";
const readline = require("readline");
const { chromium } = require("playwright-core");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WAIT_MS = 20000;

let browser, page, cdp;
let seen = { complaints: [], requests: [], loads: 0 };

function watch() {
    page.setDefaultTimeout(WAIT_MS);
    page.on("console", (message) => {
        if (["error", "warning"].includes(message.type()))
            seen.complaints.push(message.text());
    });
    page.on("pageerror", (error) => seen.complaints.push(String(error.stack || error)));
    page.on("request", (request) => seen.requests.push(request.url()));
    page.on("load", () => seen.loads++);
}

const orders = {
    async open({ url, options = {} }) {
        await page?.context().close();
        seen = { complaints: [], requests: [], loads: 0 };
        page = await (await browser.newContext(options)).newPage();
        cdp = await page.context().newCDPSession(page);
        watch();
        await page.goto(url);
    },
    // Not page.evaluate(): its eval() is what the page's policy forbids.
    async look({ expression }) {
        const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", {
            expression, returnByValue: true, awaitPromise: true, allowUnsafeEvalBlockedByCSP: true });
        if (exceptionDetails)
            throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
        return result.value;
    },
    press: ({ key }) => page.keyboard.press(key),
    click: ({ selector }) => page.click(selector),
    fill: ({ selector, text }) => page.fill(selector, text),
    choose: ({ selector, value }) => page.selectOption(selector, value),
    tap: ({ selector }) => page.tap(selector),
    hover: ({ selector }) => page.hover(selector),
    media: ({ options }) => page.emulateMedia(options),
    // From now on the page is told this instead of the truth.
    answer: ({ json }) => page.route(/;json;mqgate/, (route) => route.fulfill({ json })),
    screenshot: ({ path, whole = true }) => page.screenshot({ path, fullPage: whole }),
    seen: () => seen,
};

async function main() {
    browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const order = JSON.parse(line);
        let answer;
        try {
            answer = { answer: (await orders[order.do](order)) ?? null };
        } catch (error) {
            answer = { error: String(error) };
        }
        console.log(JSON.stringify(answer));
    }
    await browser.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
