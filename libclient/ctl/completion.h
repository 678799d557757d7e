#pragma once

/*
 * The completion scripts, made of the files in completion/ when inkoctl is built.
 */

extern const char completion_bash[], completion_zsh[], completion_fish[];
