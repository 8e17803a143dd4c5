// hcl2json.js FILE: an HCL file as JSON, by HashiCorp's own parser. Expressions stay as they are written.
const fs = require('fs');

require('@cdktf/hcl2json').parse(process.argv[2], fs.readFileSync(process.argv[2], 'utf8')).then(
    (parsed) => console.log(JSON.stringify(parsed)),
    (error) => {
        console.error(error.message);
        process.exit(1);
    });
