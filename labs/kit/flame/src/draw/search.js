
(function () {
    "use strict";
    var find = search;
    function say(text) {
        matchedtxt.classList.remove("hide");
        matchedtxt.firstChild.nodeValue = text;
    }
    search = function (term) {
        try {
            new RegExp(term);
        } catch (error) {
            return say("Not an expression: " + error.message);
        }
        find(term);
        if (!searching) say("Matched: nothing");
    };
})();
